package e2e

import (
	"slices"
	"strings"
	"testing"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/containerd/containerd/v2/pkg/oci"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"

	"jailshim/test/e2e/testbed"
)

// TestE2E_Create_ProgramCannotRun_RefusedAndClean: orchestrators retry under the
// same id; a refusal that comes late or leaves something makes the next try fail
// for another reason.
func TestE2E_Create_ProgramCannotRun_RefusedAndClean(t *testing.T) {
	for name, tc := range map[string]struct {
		text string // in the error
		opts []testbed.ProcessOption
	}{
		"absent":        {"/no/such/program", []testbed.ProcessOption{testbed.Args("/no/such/program")}},
		"not-in-path":   {"no-such-program", []testbed.ProcessOption{testbed.Args("no-such-program")}},
		"no-executable": {"/etc/passwd", []testbed.ProcessOption{testbed.Args("/etc/passwd")}},
		"a-folder":      {"/etc", []testbed.ProcessOption{testbed.Args("/etc")}},
		"path-empty": {"true", []testbed.ProcessOption{testbed.Args("true"), testbed.WithProcess(func(p *specs.Process) {
			p.Env = append(slices.Clone(p.Env), "PATH=/nowhere")
		})}},
	} {
		t.Run(name, func(t *testing.T) {
			expectRefused(t, space(t), tc.text, tc.opts...)
		})
	}
}

// TestE2E_Create_SameIDTwice_AlreadyExists: the first container must not be
// touched by an attempt to make it again.
func TestE2E_Create_SameIDTwice_AlreadyExists(t *testing.T) {
	s := space(t)
	c := s.Run(t)
	_, err := c.NewTask(s.Ctx, cio.NullIO)
	expectClass(t, "create again", err, errdefs.ErrAlreadyExists)
	c.ExpectStatus(t, containerd.Running)
	c.ExpectAlive(t)
}

// TestE2E_Create_PidBeforeStart_IsAProcess: networks are set up for the process
// between create and start.
func TestE2E_Create_PidBeforeStart_IsAProcess(t *testing.T) {
	s := space(t)
	c := s.New(t).Create(t)
	c.ExpectStatus(t, containerd.Created)
	pid := c.Task.Pid()
	if pid == 0 {
		t.Fatal("a created container has pid 0")
	}
	c.Start(t)
	if c.Task.Pid() != pid {
		t.Errorf("pid %d before start, %d after", pid, c.Task.Pid())
	}
}

// TestE2E_Create_StartedTwice_FailedPrecondition: a client that repeats a start
// that timed out must not start a second program.
func TestE2E_Create_StartedTwice_FailedPrecondition(t *testing.T) {
	s := space(t)
	c := s.Run(t)
	err := c.Task.Start(s.Ctx)
	if err == nil {
		t.Error("a running container was started again")
	}
	if testbed.Runtime == testbed.OurRuntime { // containerd's shim answers Unknown
		expectClass(t, "start again", err, errdefs.ErrFailedPrecondition)
	}
}

// TestE2E_Create_SpecOfProcess_Obeyed: "run --user --workdir --env".
func TestE2E_Create_SpecOfProcess_Obeyed(t *testing.T) {
	s := space(t)
	for _, tc := range []struct {
		args []string
		opt  oci.SpecOpts
		want string
	}{
		{[]string{"pwd"}, oci.WithProcessCwd("/tmp"), "/tmp\n"},
		{[]string{"id"}, oci.WithUIDGID(65534, 65533), "uid=65534 gid=65533 groups=[65533]\n"},
		// An image's own working directory need not be its user's to enter.
		{[]string{"pwd"}, oci.Compose(oci.WithUIDGID(65534, 65533), oci.WithProcessCwd("/root")), "/root\n"},
	} {
		c := s.Run(t, testbed.Args(tc.args...), testbed.Spec(tc.opt))
		c.Exited(t)
		if got := c.Out.String(); got != tc.want {
			t.Errorf("%q: got output %q, want %q (stderr %q)", tc.args, got, tc.want, c.Err)
		}
	}
	// No client says HOME.
	for uid, want := range map[uint32]string{0: "\nHOME=/root\n", 65534: "\nHOME=/home\n", 4711: "\nHOME=/\n"} {
		c := s.Run(t, testbed.Args("env"), testbed.Spec(oci.WithUIDGID(uid, uid)))
		c.Exited(t)
		if got := "\n" + c.Out.String(); !strings.Contains(got, want) {
			t.Errorf("user %d: environment %q, want %q in it", uid, got, want)
		}
	}
	ro := s.Run(t, testbed.Args("write", "/proof", "x"), testbed.Spec(oci.WithRootFSReadonly()))
	if code := ro.Exited(t); code == 0 {
		t.Error("a read-only root file system was written to")
	}
}
