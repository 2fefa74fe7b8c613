package e2e

import (
	"bytes"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/containerd/errdefs"

	"jailshim/test/e2e/testbed"
)

// logTo is an IO of a log URI; with a terminal the shim has it, nobody else.
func logTo(u *url.URL, terminal bool) testbed.ProcessOption {
	if terminal {
		return testbed.IO(cio.TerminalLogURI(u))
	}
	return testbed.IO(cio.LogURI(u))
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestE2E_Log_File_Complete: "ctr run -d --log-uri file:///…": the file is the only
// record of what a detached container wrote.
func TestE2E_Log_File_Complete(t *testing.T) {
	const n = 3_000_000
	for _, terminal := range []bool{false, true} {
		t.Run("terminal="+strconv.FormatBool(terminal), func(t *testing.T) {
			var opts []testbed.ProcessOption
			if terminal {
				testbed.Require(t, testbed.OurShim) // containerd's shim has no such thing
				opts = append(opts, testbed.Terminal())
			}
			s := space(t)
			// The folder is made by the shim.
			path := filepath.Join(s.Dir, "logs", "of", "today", "c.log")
			c := s.Run(t, append(opts, testbed.Args("bytes", strconv.Itoa(n)), logTo(&url.URL{Scheme: "file", Path: path}, terminal))...)
			if code := c.ExitStatus(t); code != 0 {
				t.Errorf("exit status %d", code)
			}
			c.Remove(t) // the log is complete at the latest now
			expectPattern(t, "log", readFile(t, path), n, terminal)
		})
	}
}

// TestE2E_Log_FileOfBothStreams_AppendedTo: a restarted container's log goes on in
// the same file, with what both streams wrote.
func TestE2E_Log_FileOfBothStreams_AppendedTo(t *testing.T) {
	s := space(t)
	path := filepath.Join(s.Dir, "c.log")
	const n = 64 * 100
	for range 2 {
		c := s.Run(t, testbed.Args("bytes", strconv.Itoa(n), "both"), logTo(&url.URL{Scheme: "file", Path: path}, false))
		c.ExitStatus(t)
		c.Remove(t)
	}
	if got := len(readFile(t, path)); got != 4*n {
		t.Errorf("two runs that wrote %d bytes to each stream left a log of %d bytes, want %d", n, got, 4*n)
	}
}

// binaryURI is the URI of a logger of ours, as containerd's clients write it.
func binaryURI(t *testing.T, scheme, path, arg, value string) *url.URL {
	t.Helper()
	args := map[string]string{}
	if arg != "" {
		args[arg] = value
	}
	u, err := cio.LogURIGenerator(scheme, path, args)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestE2E_Log_Binary_CompleteAndLoggerSeesTheEnd: nerdctl and others have a program
// of theirs write the log; it gets both streams to their end and has the time to
// store it.
func TestE2E_Log_Binary_CompleteAndLoggerSeesTheEnd(t *testing.T) {
	const n = 3_000_000
	for _, scheme := range []string{"binary", "binary-v2"} {
		for _, terminal := range []bool{false, true} {
			t.Run(scheme+"-terminal="+strconv.FormatBool(terminal), func(t *testing.T) {
				s := space(t)
				args, opts := []string{"bytes", strconv.Itoa(n), "both"}, []testbed.ProcessOption(nil)
				if terminal {
					args, opts = args[:2], append(opts, testbed.Terminal())
				}
				u := binaryURI(t, scheme, s.Daemon.Guest(), "logger", s.Dir)
				c := s.Run(t, append(opts, testbed.Args(args...), logTo(u, terminal))...)
				if code := c.ExitStatus(t); code != 0 {
					t.Errorf("exit status %d", code)
				}
				c.Remove(t)
				file := func(name string) []byte { return readFile(t, filepath.Join(s.Dir, c.ID()+"."+name)) }
				if got := string(file("end")); got != s.Namespace {
					t.Errorf("the logger was told namespace %q, want %q", got, s.Namespace)
				}
				expectPattern(t, "stdout", file("stdout"), n, terminal)
				if !terminal {
					expectPattern(t, "stderr", file("stderr"), n, false)
				}
			})
		}
	}
}

// TestE2E_Log_LoggerDies_ContainerGoesOn: a crash of a logger must not take the
// service down with it.
func TestE2E_Log_LoggerDies_ContainerGoesOn(t *testing.T) {
	// Containerd's lets it block at a full pipe, or die of writing.
	testbed.Require(t, testbed.OurShim)
	for _, when := range []string{"early", "silent"} {
		t.Run(when, func(t *testing.T) {
			s := space(t)
			arg := ""
			if when == "silent" {
				arg = "silent" // before it said that it was ready
			}
			u := binaryURI(t, "binary", s.Daemon.Guest(), "logger-dies", arg)
			// More than a pipe holds.
			c := s.Run(t, testbed.Args("bytes", "1000000", "both"), logTo(u, false))
			if code := c.ExitStatus(t); code != 0 {
				t.Errorf("exit status %d", code)
			}
		})
	}
}

// TestE2E_Log_LoggerCannotStart_RefusedAndClean: better no container than one whose
// log is nowhere.
func TestE2E_Log_LoggerCannotStart_RefusedAndClean(t *testing.T) {
	t.Run("absent", func(t *testing.T) {
		s := space(t)
		expectRefused(t, s, "/no/such/logger", logTo(binaryURI(t, "binary", "/no/such/logger", "", ""), false))
	})
	t.Run("not-ready", func(t *testing.T) {
		s := space(t)
		// Of binary-v2 loggers, being ready is more than having ended.
		expectRefused(t, s, "", logTo(binaryURI(t, "binary-v2", s.Daemon.Guest(), "logger-dies", "silent"), false))
	})
}

// TestE2E_Log_UnknownScheme_RefusedAndClean: a misspelt scheme must not run a
// container without a log.
func TestE2E_Log_UnknownScheme_RefusedAndClean(t *testing.T) {
	s := space(t)
	u := &url.URL{Scheme: "carrier-pigeon", Host: "loft", Path: "/7"}
	c := s.New(t, logTo(u, false))
	err := c.TryCreate()
	expectNames(t, "create", err, "carrier-pigeon")
	if testbed.Runtime == testbed.OurRuntime { // containerd's shim answers Unknown
		expectClass(t, "create", err, errdefs.ErrInvalidArgument, errdefs.ErrNotImplemented)
	}
	expectNothing(t, s, c)
}

// nerdctl returns a nerdctl command on the space. Its files are in the space's
// folder.
func nerdctl(t *testing.T, s *testbed.Space, args ...string) *exec.Cmd {
	t.Helper()
	return s.Command(t, "nerdctl", append([]string{
		"--data-root", filepath.Join(s.Dir, "nerdctl"),
		"--snapshotter", testbed.Snapshotter,
		"--cgroup-manager", "cgroupfs",
		"--cni-netconfpath", filepath.Join(s.Dir, "cni"),
		"--cni-path", filepath.Join(s.Dir, "cni-bin"),
	}, args...)...)
}

// nerdctlRun returns the first arguments of a nerdctl that runs a container: with
// no network, and without the seccomp profile, which needs a runc built with C.
func nerdctlRun(args ...string) []string {
	return append([]string{"run", "--net", "none", "--pull", "never", "--runtime", testbed.Runtime,
		"--security-opt", "seccomp=unconfined"}, args...)
}

// run runs a command and returns its standard output.
func run(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%q: %v\nstdout: %s\nstderr: %s", cmd.Args, err, out, &stderr)
	}
	return string(out)
}

// TestE2E_Log_NerdctlDetached_LogsComplete: "nerdctl run -d" and "nerdctl logs", as
// users do; nerdctl is its own logger, hook and client.
func TestE2E_Log_NerdctlDetached_LogsComplete(t *testing.T) {
	const n = 500_000
	for _, terminal := range []bool{false, true} {
		t.Run("terminal="+strconv.FormatBool(terminal), func(t *testing.T) {
			s := space(t)
			args := nerdctlRun("-d", "--name", "web")
			if terminal {
				args = append(args, "-t")
			}
			// The program stays: nerdctl's logger stops reading at its exit.
			run(t, nerdctl(t, s, append(args, testbed.ImageName, "bytes", strconv.Itoa(n), "hold")...))
			var logs string
			testbed.Until(t, "the whole log", func() error {
				logs = run(t, nerdctl(t, s, "logs", "web"))
				if len(logs) < n {
					return errShort
				}
				return nil
			})
			expectPattern(t, "nerdctl logs", []byte(logs), n, terminal)
			run(t, nerdctl(t, s, "stop", "web"))
			if got := strings.TrimSpace(run(t, nerdctl(t, s, "wait", "web"))); got != "0" {
				t.Errorf("exit status %s", got)
			}
			run(t, nerdctl(t, s, "rm", "web"))
			// The name is free again only if the poststop hook ran.
			run(t, nerdctl(t, s, append(args, testbed.ImageName, "sleep", "inf")...))
			if got := run(t, nerdctl(t, s, "exec", "web", "echo", "hello")); got != "hello\n" {
				t.Errorf("nerdctl exec printed %q", got)
			}
			run(t, nerdctl(t, s, "rm", "-f", "web"))
			s.ExpectClean(t)
		})
	}
}

// TestE2E_Log_NerdctlForeground_OutputAndStatus: "nerdctl run --rm".
func TestE2E_Log_NerdctlForeground_OutputAndStatus(t *testing.T) {
	s := space(t)
	args := nerdctlRun("--rm", testbed.ImageName)
	if got := run(t, nerdctl(t, s, append(args, "echo", "hello")...)); got != "hello\n" {
		t.Errorf("printed %q", got)
	}
	err := nerdctl(t, s, append(args, "exit", "42")...).Run()
	if got := exitCode(err); got != 42 {
		t.Errorf("exit status %d (%v), want 42", got, err)
	}
	left, err := s.Client.Containers(s.Ctx)
	if err != nil || len(left) > 0 {
		t.Errorf("containers %v left (%v)", ids(left), err)
	}
}

func ids(containers []containerd.Container) (all []string) {
	for _, c := range containers {
		all = append(all, c.ID())
	}
	return all
}
