package e2e

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	taskv2 "github.com/containerd/containerd/api/runtime/task/v2"
	taskv3 "github.com/containerd/containerd/api/runtime/task/v3"
	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/errdefs"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	"jailshim/test/e2e/testbed"
)

// rawShim returns a running container and a connection to its shim.
func rawShim(t *testing.T) (*testbed.Space, *testbed.Container, *testbed.Shim) {
	t.Helper()
	s := space(t)
	c := s.Run(t)
	shim, err := s.Shim(c.ID())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := shim.Close(); err != nil {
			t.Errorf("close the connection to the shim: %v", err)
		}
	})
	return s, c, shim
}

// expectUnharmed fails the test unless a container and its shim are as before.
func expectUnharmed(t *testing.T, s *testbed.Space, c *testbed.Container, shimPid int) {
	t.Helper()
	if got := s.ShimPid(t, c.ID()); got != shimPid {
		t.Errorf("the shim was process %d and is %d", shimPid, got)
	}
	c.ExpectStatus(t, containerd.Running)
	c.ExpectAlive(t)
}

// taskServices are the two versions of the task service that a shim serves: clients
// of an older daemon speak the older.
var taskServices = []protoreflect.FileDescriptor{
	taskv2.File_runtime_task_v2_shim_proto,
	taskv3.File_runtime_task_v3_shim_proto,
}

// TestE2E_Raw_EmptyMessages_RightClass: a request without its fields, as a client's bug
// produces it, to every method there is: no panic, no guess, and the error says
// that it is the request's fault.
func TestE2E_Raw_EmptyMessages_RightClass(t *testing.T) {
	testbed.Require(t, testbed.OurShim) // containerd's answers Unknown to some
	s, c, shim := rawShim(t)
	pid := s.ShimPid(t, c.ID())
	called := 0
	for _, file := range taskServices {
		service := file.Services().ByName("Task")
		for i := range service.Methods().Len() {
			name := string(service.Methods().Get(i).Name())
			what := string(service.FullName()) + "." + name
			err := shim.Raw.Call(s.Ctx, string(service.FullName()), name, &emptypb.Empty{}, &emptypb.Empty{})
			called++
			switch name {
			case "Connect", "Shutdown":
				// Both are about the shim, not about a container; and a shim
				// with containers does not shut down.
				if err != nil {
					t.Errorf("%s: %v", what, err)
				}
			case "Checkpoint":
				expectClass(t, what, err, errdefs.ErrInvalidArgument, errdefs.ErrNotFound, errdefs.ErrNotImplemented)
			default:
				expectClass(t, what, err, errdefs.ErrInvalidArgument, errdefs.ErrNotFound)
			}
		}
	}
	if called < 30 {
		t.Errorf("only %d methods were found and called", called)
	}
	expectUnharmed(t, s, c, pid)
}

// TestE2E_Raw_MalformedMessages_ErrorAndUnharmed: bytes that are no message at all.
func TestE2E_Raw_MalformedMessages_ErrorAndUnharmed(t *testing.T) {
	s, c, shim := rawShim(t)
	pid := s.ShimPid(t, c.ID())
	var garbage emptypb.Empty
	garbage.ProtoReflect().SetUnknown([]byte{0xff, 0xff, 0xff, 0xff, 0x0a, 0x05, 'x'})
	for _, file := range taskServices {
		service := file.Services().ByName("Task")
		for i := range service.Methods().Len() {
			name := string(service.Methods().Get(i).Name())
			if err := shim.Raw.Call(s.Ctx, string(service.FullName()), name, &garbage, &emptypb.Empty{}); err == nil {
				t.Errorf("%s.%s of garbage succeeded", service.FullName(), name)
			}
		}
		err := shim.Raw.Call(s.Ctx, string(service.FullName()), "NoSuchMethod", &emptypb.Empty{}, &emptypb.Empty{})
		expectClass(t, "unknown method", err, errdefs.ErrNotImplemented)
	}
	err := shim.Raw.Call(s.Ctx, "no.such.Service", "State", &emptypb.Empty{}, &emptypb.Empty{})
	expectClass(t, "unknown service", err, errdefs.ErrNotImplemented)
	expectUnharmed(t, s, c, pid)
}

// TestE2E_Raw_NoProtocolAtAll_ConnectionOnly: whatever is written to the socket harms
// that connection alone.
func TestE2E_Raw_NoProtocolAtAll_ConnectionOnly(t *testing.T) {
	s, c, _ := rawShim(t)
	pid := s.ShimPid(t, c.ID())
	address, err := s.ShimAddress(c.ID())
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "GET / HTTP/1.0\r\n\r\n", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "\x00"} {
		conn, err := net.Dial("unix", address)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte(text)); err != nil {
			t.Errorf("write %q: %v", text, err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
	expectUnharmed(t, s, c, pid)
}

// TestE2E_Raw_InvalidIDs_InvalidArgument: a shim makes paths and names of ids; it must
// not rely on somebody else having looked at them.
func TestE2E_Raw_InvalidIDs_InvalidArgument(t *testing.T) {
	testbed.Require(t, testbed.OurShim) // containerd's relies on containerd
	s, c, shim := rawShim(t)
	pid := s.ShimPid(t, c.ID())
	for _, id := range invalidIDs {
		_, err := shim.Create(s.Ctx, &taskv3.CreateTaskRequest{ID: id, Bundle: s.Bundle(c.ID())})
		expectClass(t, "create "+id, err, errdefs.ErrInvalidArgument)
		_, err = shim.Exec(s.Ctx, &taskv3.ExecProcessRequest{ID: c.ID(), ExecID: id})
		expectClass(t, "exec "+id, err, errdefs.ErrInvalidArgument)
	}
	expectUnharmed(t, s, c, pid)
}

// TestE2E_Raw_CreateWithoutBundle_Refused: a bundle that isn't there, isn't absolute or
// has no configuration.
func TestE2E_Raw_CreateWithoutBundle_Refused(t *testing.T) {
	testbed.Require(t, testbed.OurShim) // containerd's makes the folder
	s, c, shim := rawShim(t)
	pid := s.ShimPid(t, c.ID())
	for _, bundle := range []string{"", "relative", "/no/such/bundle", s.Dir} {
		_, err := shim.Create(s.Ctx, &taskv3.CreateTaskRequest{ID: "new", Bundle: bundle})
		expectClass(t, "create in bundle "+bundle, err, errdefs.ErrInvalidArgument, errdefs.ErrNotFound)
	}
	_, err := shim.Create(s.Ctx, &taskv3.CreateTaskRequest{ID: c.ID(), Bundle: s.Bundle(c.ID())})
	expectClass(t, "create of a container that there is", err, errdefs.ErrAlreadyExists)
	_, err = shim.State(s.Ctx, &taskv3.StateRequest{ID: "new"})
	expectClass(t, "state of what could not be created", err, errdefs.ErrNotFound)
	expectUnharmed(t, s, c, pid)
}

// TestE2E_Raw_BrokenConfig_InvalidArgument: what containerd has not looked at, the shim
// must.
func TestE2E_Raw_BrokenConfig_InvalidArgument(t *testing.T) {
	testbed.Require(t, testbed.OurShim) // containerd's answers Unknown
	s, c, shim := rawShim(t)
	pid := s.ShimPid(t, c.ID())
	good := readFile(t, filepath.Join(s.Bundle(c.ID()), "config.json"))
	for name, change := range brokenSpecs {
		bundle := filepath.Join(s.Dir, name)
		if err := os.MkdirAll(filepath.Join(bundle, "rootfs"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(bundle, "config.json"), change(good), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := shim.Create(s.Ctx, &taskv3.CreateTaskRequest{ID: "new", Bundle: bundle})
		expectClass(t, "create of a spec that is "+name, err, errdefs.ErrInvalidArgument)
		expectNames(t, "create of a spec that is "+name, err, "config.json")
	}
	expectUnharmed(t, s, c, pid)
}

// TestE2E_Raw_ExecWithoutProcess_InvalidArgument: an exec without a spec, or with one
// that is no process.
func TestE2E_Raw_ExecWithoutProcess_InvalidArgument(t *testing.T) {
	testbed.Require(t, testbed.OurShim) // containerd's panics
	s, c, shim := rawShim(t)
	pid := s.ShimPid(t, c.ID())
	const url = "types.containerd.io/opencontainers/runtime-spec/1/Process"
	for name, spec := range map[string]*anypb.Any{
		"none":         nil,
		"empty":        {},
		"other type":   {TypeUrl: "types.containerd.io/opencontainers/runtime-spec/1/Spec", Value: []byte("{}")},
		"no json":      {TypeUrl: url, Value: []byte("hello")},
		"no arguments": {TypeUrl: url, Value: []byte(`{"cwd":"/"}`)},
		"relative cwd": {TypeUrl: url, Value: []byte(`{"cwd":"tmp","args":["true"]}`)},
	} {
		_, err := shim.Exec(s.Ctx, &taskv3.ExecProcessRequest{ID: c.ID(), ExecID: "x", Spec: spec})
		expectClass(t, "exec with spec "+name, err, errdefs.ErrInvalidArgument)
	}
	expectUnharmed(t, s, c, pid)
}

// TestE2E_Raw_OlderService_SameAnswers: after a downgrade of containerd the older
// service's clients find their containers.
func TestE2E_Raw_OlderService_SameAnswers(t *testing.T) {
	s, c, shim := rawShim(t)
	older := taskv2.NewTTRPCTaskClient(shim.Raw)
	state, err := older.State(s.Ctx, &taskv2.StateRequest{ID: c.ID()})
	if testbed.Runtime != testbed.OurRuntime {
		// Containerd's shim serves the newer alone.
		expectClass(t, "state", err, errdefs.ErrNotImplemented)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if state.Pid != c.Task.Pid() || state.ID != c.ID() || state.Bundle != s.Bundle(c.ID()) {
		t.Errorf("state is %v, want of %s with pid %d", state, c.ID(), c.Task.Pid())
	}
	_, err = older.State(s.Ctx, &taskv2.StateRequest{ID: "no-such-container"})
	expectClass(t, "state of an unknown container", err, errdefs.ErrNotFound)
}

// TestE2E_Raw_ShutdownWithContainers_StaysUp: containerd sends it when it thinks that
// a container was the last.
func TestE2E_Raw_ShutdownWithContainers_StaysUp(t *testing.T) {
	s, c, shim := rawShim(t)
	pid := s.ShimPid(t, c.ID())
	for _, id := range []string{c.ID(), "no-such-container", ""} {
		if _, err := shim.Shutdown(s.Ctx, &taskv3.ShutdownRequest{ID: id}); err != nil {
			t.Errorf("shutdown %q: %v", id, err)
		}
	}
	expectUnharmed(t, s, c, pid)
}

// TestE2E_Raw_Connect_AlwaysAnswers: containerd gives up a shim that doesn't.
func TestE2E_Raw_Connect_AlwaysAnswers(t *testing.T) {
	s, c, shim := rawShim(t)
	for id, want := range map[string]uint32{c.ID(): c.Task.Pid(), "no-such-container": 0, "": 0} {
		r, err := shim.Connect(s.Ctx, &taskv3.ConnectRequest{ID: id})
		if err != nil || r.TaskPid != want || !alive(int(r.ShimPid)) {
			t.Errorf("connect %q: %v, %v, want pid %d and a living shim", id, r, err, want)
		}
	}
}

// TestE2E_Raw_ShutdownByAnother_StillAnswers: of a pod, containerd has a connection for
// each container. One that has its last call under way when another's Shutdown ends the
// server must not lose the answer, which it does if the server closes first.
func TestE2E_Raw_ShutdownByAnother_StillAnswers(t *testing.T) {
	const patience = time.Second // the server's is longer
	for range 10 {
		s, c, shim := rawShim(t)
		pid := s.ShimPid(t, c.ID())
		began := time.Now()
		if _, err := c.Task.Delete(s.Ctx, containerd.WithProcessKill); err != nil {
			t.Fatal(err)
		}
		_, err := shim.Connect(s.Ctx, &taskv3.ConnectRequest{ID: c.ID()})
		took := time.Since(began)
		c.Forget(t)
		if err != nil && took > patience {
			continue // the machine was too slow to tell
		}
		if err != nil && testbed.Runtime == testbed.OurRuntime { // containerd's shim closes all connections at once
			t.Fatalf("a call of another connection, %v after the deletion began: %v", took, err)
		}
		if err := shim.Close(); err != nil {
			t.Error(err)
		}
		testbed.Until(t, "the shim to end when its last client has gone", testbed.When(func() bool { return !alive(pid) }))
		return
	}
	t.Fatalf("each of ten deletions took longer than %v", patience)
}
