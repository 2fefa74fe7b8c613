package task

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	taskapi "github.com/containerd/containerd/api/runtime/task/v2"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs"
	"google.golang.org/protobuf/types/known/anypb"
)

var ctx = context.Background()

func wantEvents(t *testing.T, w *world, want ...string) {
	t.Helper()
	if got := w.seen(); !slices.Equal(got, want) {
		t.Errorf("events:\n got %q\nwant %q", got, want)
	}
}

func wantClass(t *testing.T, what string, err error, is func(error) bool) {
	t.Helper()
	if !is(err) {
		t.Errorf("%s: %v: wrong class", what, err)
	}
}

// records returns how many files are left in the service's state folder.
func records(t *testing.T, s *Service) int {
	t.Helper()
	n := 0
	err := filepath.WalkDir(s.StateDir, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestService_WholeLife_EventsInOrder(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	pid := w.create(s, "c")
	if got := w.start(s, "c", ""); got != pid {
		t.Errorf("Start: pid %d, want %d", got, pid)
	}
	w.exec(s, "c", "e")
	w.end(w.start(s, "c", "e"), 3)
	if got := w.wait(s, "c", "e"); got != 3 {
		t.Errorf("exec: status %d, want 3", got)
	}
	w.end(pid, 7)
	if got := w.wait(s, "c", ""); got != 7 {
		t.Errorf("status %d, want 7", got)
	}
	if got := w.delete(s, "c", ""); got != 7 {
		t.Errorf("Delete: status %d, want 7", got)
	}
	wantEvents(t, w, "create", "start", "exec-added e", "exec-started e", "exit e 3", "exit c 7", "delete")
	if n := records(t, s); n != 0 {
		t.Errorf("%d files left in the state folder", n)
	}
}

// A client that sees an exit before the start believes in two processes.
func TestService_EndsDuringStart_StartComesFirst(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	pid := w.create(s, "c")
	w.during["Start"] = func(pid int) { w.end(pid, 1) }
	if got := w.start(s, "c", ""); got != pid {
		t.Errorf("Start: pid %d, want %d", got, pid)
	}
	if got := w.wait(s, "c", ""); got != 1 {
		t.Errorf("status %d, want 1", got)
	}
	wantEvents(t, w, "create", "start", "exit c 1")
}

// A created container is killed, and started before all that follows from its end
// is done: waiters must not be left waiting.
func TestService_StartAfterEndOfCreated_Refused(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	pid := w.create(s, "c")
	release := make(chan struct{})
	w.during["Quiesce"] = func(int) { <-release }
	w.end(pid, 137)
	_, err := s.rpcStart(ctx, &taskapi.StartRequest{ID: "c"})
	wantClass(t, "start of a created container that has ended", err, errdefs.IsFailedPrecondition)
	close(release)
	if got := w.wait(s, "c", ""); got != 137 {
		t.Errorf("status %d, want 137", got)
	}
	wantEvents(t, w, "create", "exit c 137")
}

func TestService_ExecEndsDuringStart_StartComesFirst(t *testing.T) {
	for _, when := range []string{"Exec", "after Watch"} {
		t.Run(when, func(t *testing.T) {
			w := newWorld(t)
			s := w.service()
			w.create(s, "c")
			w.start(s, "c", "")
			w.exec(s, "c", "e")
			w.during[when] = func(pid int) { w.end(pid, 4) }
			pid := w.start(s, "c", "e")
			if got := w.wait(s, "c", "e"); got != 4 {
				t.Errorf("status %d, want 4", got)
			}
			if got := w.exitPid(); got != pid {
				t.Errorf("the exit names pid %d, want %d", got, pid)
			}
			wantEvents(t, w, "create", "start", "exec-added e", "exec-started e", "exit e 4")
		})
	}
}

// A client that hears NotFound waits for the exit, which does not come while the process
// lives.
func TestService_KillWhileExecStarts_NotTakenForEnded(t *testing.T) {
	for _, when := range []string{"Exec", "before Watch", "after Watch"} {
		t.Run(when, func(t *testing.T) {
			w := newWorld(t)
			s := w.service()
			w.create(s, "c")
			w.start(s, "c", "")
			w.exec(s, "c", "e")
			w.during[when] = func(int) {
				_, err := s.rpcKill(ctx, &taskapi.KillRequest{ID: "c", ExecID: "e", Signal: 9})
				wantClass(t, "kill of a starting exec", err, errdefs.IsFailedPrecondition)
			}
			pid := w.start(s, "c", "e")
			if _, err := s.rpcKill(ctx, &taskapi.KillRequest{ID: "c", ExecID: "e", Signal: 9}); err != nil {
				t.Error(err)
			}
			r, err := s.rpcDelete(ctx, &taskapi.DeleteRequest{ID: "c", ExecID: "e"})
			if err != nil || int(r.Pid) != pid || r.ExitStatus != 137 {
				t.Errorf("%v, %v, want pid %d and status 137", r, err, pid)
			}
		})
	}
}

// The end of the container is the end of all: its execs' exits come first.
func TestService_InitEndsWithExecs_ItsExitIsLast(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	pid := w.create(s, "c")
	w.start(s, "c", "")
	w.exec(s, "c", "e1")
	w.exec(s, "c", "e2")
	w.exec(s, "c", "late")
	e1, e2 := w.start(s, "c", "e1"), w.start(s, "c", "e2")
	w.end(pid, 0)
	_, err := s.rpcStart(ctx, &taskapi.StartRequest{ID: "c", ExecID: "late"})
	wantClass(t, "start of an exec after the init's end", err, errdefs.IsFailedPrecondition)
	_, err = s.rpcExec(ctx, execRequest("c", "later"))
	wantClass(t, "exec after the init's end", err, errdefs.IsFailedPrecondition)
	w.end(e2, 2)
	w.end(e1, 1)
	w.wait(s, "c", "")
	got := w.seen()
	if want := []string{"exit e2 2", "exit e1 1", "exit c 0"}; !slices.Equal(got[len(got)-3:], want) {
		t.Errorf("events end with %q, want %q", got[len(got)-3:], want)
	}
}

func TestService_InitEndsWhileExecStarts_ItsExitIsLast(t *testing.T) {
	for _, fail := range []bool{false, true} {
		t.Run(fmt.Sprintf("fails=%t", fail), func(t *testing.T) {
			w := newWorld(t)
			s := w.service()
			pid := w.create(s, "c")
			w.start(s, "c", "")
			w.exec(s, "c", "e")
			w.during["Exec"] = func(int) { w.end(pid, 0) }
			if fail {
				w.fail = "Exec"
			}
			r, err := s.rpcStart(ctx, &taskapi.StartRequest{ID: "c", ExecID: "e"})
			if fail != (err != nil) {
				t.Fatalf("Start: %v", err)
			}
			if err == nil {
				w.end(int(r.Pid), 137)
			}
			w.wait(s, "c", "")
			w.wait(s, "c", "e")
			if got := w.seen(); got[len(got)-1] != "exit c 0" {
				t.Errorf("events %q: the init's exit must be last", got)
			}
		})
	}
}

func TestService_StartFails_WaitersAreReleased(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	w.create(s, "c")
	waited := make(chan int, 1)
	go func() { waited <- w.wait(s, "c", "") }()
	w.fail = "Start"
	if _, err := s.rpcStart(ctx, &taskapi.StartRequest{ID: "c"}); err == nil {
		t.Fatal("Start succeeded")
	}
	if got := <-waited; got == 0 {
		t.Error("a program that could not be run has status 0")
	}
	wantEvents(t, w, "create")
	w.fail = ""
	w.delete(s, "c", "")
	wantEvents(t, w, "create", "delete")
	if !slices.Contains(w.calls, "KillAll") {
		t.Error("what was created was not killed")
	}
}

func TestService_ExecStartFails_ExecCanBeDeleted(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	w.create(s, "c")
	w.start(s, "c", "")
	w.exec(s, "c", "e")
	w.fail = "Exec"
	if _, err := s.rpcStart(ctx, &taskapi.StartRequest{ID: "c", ExecID: "e"}); err == nil {
		t.Fatal("Start succeeded")
	}
	if got := w.wait(s, "c", "e"); got != failedStatus {
		t.Errorf("status %d, want %d", got, failedStatus)
	}
	w.delete(s, "c", "e")
	w.fail = ""
	w.exec(s, "c", "e") // the id is free again
}

// idle reports whether there is no container, and none being created.
func idle(s *Service) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.idleLocked()
}

// A create that fails at any step leaves nothing, and its id can be used again.
func TestService_CreateFails_NothingLeft(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	w.fail = "Create"
	if _, err := s.rpcCreate(ctx, &taskapi.CreateTaskRequest{ID: "c", Bundle: "/b"}); err == nil {
		t.Fatal("Create succeeded")
	}
	if !idle(s) {
		t.Error("the id is still taken")
	}
	if n := records(t, s); n != 0 {
		t.Errorf("%d files left in the state folder", n)
	}
	wantEvents(t, w)
	w.fail = ""
	w.create(s, "c")
}

// A client that goes away during Create will never delete the container.
func TestService_ClientGoesDuringCreate_IsTakenBack(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	gone, cancel := context.WithCancel(ctx)
	w.during["Create"] = func(int) { cancel() }
	if _, err := s.rpcCreate(gone, &taskapi.CreateTaskRequest{ID: "c", Bundle: "/b"}); err == nil {
		t.Fatal("Create succeeded")
	}
	if !slices.Contains(w.calls, "Delete") || !idle(s) || records(t, s) != 0 {
		t.Errorf("calls %q, idle %t, %d files left", w.calls, idle(s), records(t, s))
	}
	wantEvents(t, w)
}

// What is left of a create that could not be taken back must be found again.
func TestService_CreateNotTakenBack_RecordStays(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	gone, cancel := context.WithCancel(ctx)
	w.during["Create"] = func(int) { cancel() }
	w.fail = "Delete"
	if _, err := s.rpcCreate(gone, &taskapi.CreateTaskRequest{ID: "c", Bundle: "/b"}); err == nil || !strings.Contains(err.Error(), "Delete fails") {
		t.Errorf("Create: %v, want also why it can't be taken back", err)
	}
	if records(t, s) != 1 || !idle(s) {
		t.Errorf("%d records, idle %t", records(t, s), idle(s))
	}
	w.fail = ""
	k, _ := newCleanup(w, s, "c")
	if _, _, _, err := k.Run(ctx); err != nil {
		t.Error(err)
	}
	if w.count("Remove") != 1 || records(t, s) != 0 {
		t.Errorf("calls %q, %d records", w.calls, records(t, s))
	}
}

// containerd asks a shim to end while a Create that it has given up is still being
// taken back, and never again.
func TestService_ShutdownDuringCreate_EndsWhenNothingIsLeft(t *testing.T) {
	for _, given := range []bool{true, false} {
		t.Run(fmt.Sprintf("up=%t", given), func(t *testing.T) {
			w := newWorld(t)
			s := w.service()
			gone, cancel := context.WithCancel(ctx)
			defer cancel()
			w.during["Create"] = func(int) {
				_, err := s.rpcDelete(ctx, &taskapi.DeleteRequest{ID: "c"})
				wantClass(t, "Delete during Create", err, errdefs.IsNotFound)
				if _, err := s.rpcShutdown(ctx, &taskapi.ShutdownRequest{ID: "c"}); err != nil {
					t.Error(err)
				}
				if n := w.count("shutdown"); n != 0 {
					t.Error("the process ended during a Create")
				}
				if given {
					cancel()
				}
			}
			_, err := s.rpcCreate(gone, &taskapi.CreateTaskRequest{ID: "c", Bundle: "/b"})
			if given != (err != nil) {
				t.Fatalf("Create: %v", err)
			}
			if ended := w.count("shutdown") == 1; ended != given {
				t.Errorf("ended: %t, want %t", ended, given)
			}
			if given {
				return
			}
			w.delete(s, "c", "")
			if w.count("shutdown") != 1 {
				t.Error("the process did not end with its last container")
			}
		})
	}
}

func TestService_CreateTwice_AlreadyExists(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	w.create(s, "c")
	_, err := s.rpcCreate(ctx, &taskapi.CreateTaskRequest{ID: "c", Bundle: "/b"})
	wantClass(t, "second Create", err, errdefs.IsAlreadyExists)
}

func TestService_DeleteCreated_KillsAndTellsTheExit(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	w.create(s, "c")
	if got := w.delete(s, "c", ""); got != 137 {
		t.Errorf("status %d, want 137", got)
	}
	wantEvents(t, w, "create", "exit c 137", "delete")
}

// A Delete that fails leaves the container to be deleted again.
func TestService_DeleteFails_CanBeRepeated(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	pid := w.create(s, "c")
	w.start(s, "c", "")
	w.end(pid, 5)
	w.wait(s, "c", "")
	w.fail = "Delete"
	if _, err := s.rpcDelete(ctx, &taskapi.DeleteRequest{ID: "c"}); err == nil {
		t.Fatal("Delete succeeded")
	}
	if records(t, s) == 0 {
		t.Error("the record is gone although the container is not")
	}
	w.fail = ""
	if got := w.delete(s, "c", ""); got != 5 {
		t.Errorf("status %d, want 5", got)
	}
}

func TestService_DeleteConcurrently_OneWinsOthersNotFound(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	pid := w.create(s, "c")
	w.start(s, "c", "")
	w.end(pid, 0)
	w.wait(s, "c", "")
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Add(1)
		go func() {
			defer wg.Done()
			_, errs[i] = s.rpcDelete(ctx, &taskapi.DeleteRequest{ID: "c"})
		}()
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else {
			wantClass(t, "Delete that lost", err, errdefs.IsNotFound)
		}
	}
	if won != 1 {
		t.Errorf("%d Deletes succeeded, want 1", won)
	}
}

func TestService_WrongState_FailedPrecondition(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	w.create(s, "c")
	call := map[string]func() error{
		"pause created":  func() error { _, err := s.rpcPause(ctx, &taskapi.PauseRequest{ID: "c"}); return err },
		"resume created": func() error { _, err := s.rpcResume(ctx, &taskapi.ResumeRequest{ID: "c"}); return err },
	}
	for what, fn := range call {
		wantClass(t, what, fn(), errdefs.IsFailedPrecondition)
	}
	w.start(s, "c", "")
	w.exec(s, "c", "e")
	_, err := s.rpcStart(ctx, &taskapi.StartRequest{ID: "c"})
	wantClass(t, "start running", err, errdefs.IsFailedPrecondition)
	_, err = s.rpcDelete(ctx, &taskapi.DeleteRequest{ID: "c"})
	wantClass(t, "delete running", err, errdefs.IsFailedPrecondition)
	_, err = s.rpcKill(ctx, &taskapi.KillRequest{ID: "c", ExecID: "e", Signal: 9})
	wantClass(t, "kill exec that was never started", err, errdefs.IsFailedPrecondition)
	_, err = s.rpcExec(ctx, execRequest("c", "e"))
	wantClass(t, "exec with a taken id", err, errdefs.IsAlreadyExists)
	w.start(s, "c", "e")
	_, err = s.rpcDelete(ctx, &taskapi.DeleteRequest{ID: "c", ExecID: "e"})
	wantClass(t, "delete running exec", err, errdefs.IsFailedPrecondition)
}

func TestService_KillStopped_NotFound(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	pid := w.create(s, "c")
	w.start(s, "c", "")
	w.end(pid, 0)
	w.wait(s, "c", "")
	for _, all := range []bool{false, true} {
		_, err := s.rpcKill(ctx, &taskapi.KillRequest{ID: "c", Signal: 9, All: all})
		wantClass(t, fmt.Sprintf("kill stopped, all=%t", all), err, errdefs.IsNotFound)
	}
}

func TestService_UnknownIDs_NotFound(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	w.create(s, "c")
	for what, fn := range map[string]func() error{
		"state":   func() error { _, err := s.rpcState(ctx, &taskapi.StateRequest{ID: "x"}); return err },
		"start":   func() error { _, err := s.rpcStart(ctx, &taskapi.StartRequest{ID: "c", ExecID: "x"}); return err },
		"delete":  func() error { _, err := s.rpcDelete(ctx, &taskapi.DeleteRequest{ID: "x"}); return err },
		"wait":    func() error { _, err := s.rpcWait(ctx, &taskapi.WaitRequest{ID: "x"}); return err },
		"kill":    func() error { _, err := s.rpcKill(ctx, &taskapi.KillRequest{ID: "x", Signal: 9}); return err },
		"pids":    func() error { _, err := s.rpcPids(ctx, &taskapi.PidsRequest{ID: "x"}); return err },
		"stats":   func() error { _, err := s.rpcStats(ctx, &taskapi.StatsRequest{ID: "x"}); return err },
		"update":  func() error { _, err := s.rpcUpdate(ctx, &taskapi.UpdateTaskRequest{ID: "x"}); return err },
		"exec":    func() error { _, err := s.rpcExec(ctx, execRequest("x", "e")); return err },
		"resize":  func() error { _, err := s.rpcResizePty(ctx, &taskapi.ResizePtyRequest{ID: "x"}); return err },
		"closeio": func() error { _, err := s.rpcCloseIO(ctx, &taskapi.CloseIORequest{ID: "x"}); return err },
	} {
		wantClass(t, what, fn(), errdefs.IsNotFound)
	}
	if r, err := s.rpcConnect(ctx, &taskapi.ConnectRequest{ID: "x"}); err != nil || r.TaskPid != 0 || r.ShimPid == 0 {
		t.Errorf("Connect: %v, %v; it must never fail", r, err)
	}
}

func TestService_BadInput_InvalidArgument(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	w.create(s, "c")
	create := func(r *taskapi.CreateTaskRequest) func() error {
		return func() error { _, err := s.rpcCreate(ctx, r); return err }
	}
	spec := func(url, value string) func() error {
		return func() error {
			_, err := s.rpcExec(ctx, &taskapi.ExecProcessRequest{ID: "c", ExecID: "e", Spec: &anypb.Any{TypeUrl: url, Value: []byte(value)}})
			return err
		}
	}
	const process = "types.containerd.io/opencontainers/runtime-spec/1/Process"
	for _, tc := range []struct {
		what, names string
		fn          func() error
	}{
		{"no id", "container id", create(&taskapi.CreateTaskRequest{Bundle: "/b"})},
		{"dots", "..", create(&taskapi.CreateTaskRequest{ID: "..", Bundle: "/b"})},
		{"slash", "a/b", create(&taskapi.CreateTaskRequest{ID: "a/b", Bundle: "/b"})},
		{"long id", "aaaa", create(&taskapi.CreateTaskRequest{ID: strings.Repeat("a", 77), Bundle: "/b"})},
		{"relative bundle", "bundle", create(&taskapi.CreateTaskRequest{ID: "d", Bundle: "b"})},
		{"scheme", "gopher", create(&taskapi.CreateTaskRequest{ID: "d", Bundle: "/b", Stdout: "gopher://x/y"})},
		{"options", "nosuch", create(&taskapi.CreateTaskRequest{ID: "d", Bundle: "/b", Options: &anypb.Any{TypeUrl: "nosuch"}})},
		{"exec id", "exec id", func() error { _, err := s.rpcExec(ctx, &taskapi.ExecProcessRequest{ID: "c"}); return err }},
		{"no spec", "spec", func() error { _, err := s.rpcExec(ctx, &taskapi.ExecProcessRequest{ID: "c", ExecID: "e"}); return err }},
		{"type of spec", "nosuch", spec("nosuch", "{}")},
		{"broken spec", "spec", spec(process, "{")},
		{"no args", "args", spec(process, `{"cwd":"/"}`)},
		{"relative cwd", "cwd", spec(process, `{"args":["a"],"cwd":"b"}`)},
		{"signal 0", "signal 0", func() error { _, err := s.rpcKill(ctx, &taskapi.KillRequest{ID: "c"}); return err }},
		{"signal 128", "signal 128", func() error { _, err := s.rpcKill(ctx, &taskapi.KillRequest{ID: "c", Signal: 128}); return err }},
		{"no resources", "resources", func() error { _, err := s.rpcUpdate(ctx, &taskapi.UpdateTaskRequest{ID: "c"}); return err }},
		{"width", "70000", func() error {
			_, err := s.rpcResizePty(ctx, &taskapi.ResizePtyRequest{ID: "c", Width: 70000})
			return err
		}},
	} {
		err := tc.fn()
		wantClass(t, tc.what, err, errdefs.IsInvalidArgument)
		if err != nil && !strings.Contains(err.Error(), tc.names) {
			t.Errorf("%s: error %q does not name %q", tc.what, err, tc.names)
		}
	}
	if got := len(w.seen()); got != 1 {
		t.Errorf("%d events, want the one of the good Create", got)
	}
}

func TestService_Checkpoint_NotImplemented(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	w.create(s, "c")
	_, err := s.rpcCheckpoint(ctx, &taskapi.CheckpointTaskRequest{ID: "c"})
	wantClass(t, "Checkpoint", err, errdefs.IsNotImplemented)
	_, err = s.rpcCreate(ctx, &taskapi.CreateTaskRequest{ID: "d", Bundle: "/b", Checkpoint: "/x"})
	wantClass(t, "Create from a checkpoint", err, errdefs.IsNotImplemented)
}

func TestService_PauseResume(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	w.create(s, "c")
	w.start(s, "c", "")
	status := func() tasktypes.Status {
		r, err := s.rpcState(ctx, &taskapi.StateRequest{ID: "c"})
		if err != nil {
			t.Fatal(err)
		}
		return r.Status
	}
	if _, err := s.rpcPause(ctx, &taskapi.PauseRequest{ID: "c"}); err != nil || status() != tasktypes.Status_PAUSED {
		t.Fatalf("Pause: %v, status %s", err, status())
	}
	_, err := s.rpcPause(ctx, &taskapi.PauseRequest{ID: "c"})
	wantClass(t, "second Pause", err, errdefs.IsFailedPrecondition)
	w.exec(s, "c", "e")
	_, err = s.rpcStart(ctx, &taskapi.StartRequest{ID: "c", ExecID: "e"})
	wantClass(t, "start of an exec in a paused container", err, errdefs.IsFailedPrecondition)
	if _, err := s.rpcResume(ctx, &taskapi.ResumeRequest{ID: "c"}); err != nil || status() != tasktypes.Status_RUNNING {
		t.Fatalf("Resume: %v, status %s", err, status())
	}
	wantEvents(t, w, "create", "start", "paused", "exec-added e", "resumed")
}

// A kill must end a paused container, whether or not its freezer lets the signal
// through.
func TestService_KillPaused_EndsIt(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	w.create(s, "c")
	w.start(s, "c", "")
	if _, err := s.rpcPause(ctx, &taskapi.PauseRequest{ID: "c"}); err != nil {
		t.Fatal(err)
	}
	w.fail = "Resume" // nothing is left to resume
	if _, err := s.rpcKill(ctx, &taskapi.KillRequest{ID: "c", Signal: 9}); err != nil {
		t.Errorf("Kill: %v", err)
	}
	if got := w.wait(s, "c", ""); got != 137 {
		t.Errorf("status %d, want 137", got)
	}
}

// What was killed while it was paused can end before the resume is done.
func TestService_EndsDuringResume_NothingAfterTheExit(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	w.create(s, "c")
	w.start(s, "c", "")
	if _, err := s.rpcPause(ctx, &taskapi.PauseRequest{ID: "c"}); err != nil {
		t.Fatal(err)
	}
	w.during["Resume"] = func(int) { w.wait(s, "c", "") }
	if _, err := s.rpcKill(ctx, &taskapi.KillRequest{ID: "c", Signal: 9}); err != nil {
		t.Errorf("Kill: %v", err)
	}
	wantEvents(t, w, "create", "start", "paused", "exit c 137")
}

// State and Wait must answer while the runtime is busy: containerd gives up on a
// shim that doesn't.
func TestService_StateDuringSlowStart_Answers(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	w.create(s, "c")
	in, out := make(chan struct{}), make(chan struct{})
	w.during["Start"] = func(int) { close(in); <-out }
	done := make(chan struct{})
	go func() { defer close(done); w.start(s, "c", "") }()
	<-in
	r, err := s.rpcState(ctx, &taskapi.StateRequest{ID: "c"})
	if err != nil || r.Status != tasktypes.Status_CREATED {
		t.Errorf("State: %v, %v", r, err)
	}
	close(out)
	<-done
}

// A daemon that restarts takes an empty list for a container that never was, and
// removes it.
func TestService_Pids_NeverEmpty(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	pid := w.create(s, "c")
	expect := func(when string) {
		t.Helper()
		r, err := s.rpcPids(ctx, &taskapi.PidsRequest{ID: "c"})
		if err != nil || len(r.Processes) != 1 || int(r.Processes[0].Pid) != pid {
			t.Errorf("%s: %v, %v", when, r, err)
		}
	}
	expect("created")
	w.start(s, "c", "")
	expect("running")
	w.end(pid, 0)
	w.wait(s, "c", "")
	w.fail = "Pids" // a runtime need not know a container that has ended
	expect("stopped")
}

// containerd asks once, for a container that is not the last, and may not ask again.
func TestService_Shutdown_EndsWhenEmpty(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	w.create(s, "c")
	w.create(s, "d")
	w.delete(s, "c", "")
	if _, err := s.rpcShutdown(ctx, &taskapi.ShutdownRequest{ID: "c", Now: true}); err != nil {
		t.Fatal(err)
	}
	if w.count("shutdown") != 0 {
		t.Error("shut down with a container")
	}
	w.delete(s, "d", "")
	if w.count("shutdown") != 1 {
		t.Error("not shut down when empty")
	}
	_, err := s.rpcCreate(ctx, &taskapi.CreateTaskRequest{ID: "e", Bundle: "/b"})
	wantClass(t, "Create after Shutdown", err, errdefs.IsUnavailable)
}

// A container may follow the last one, if nobody asks for the end.
func TestService_NoShutdown_StaysUp(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	for range 2 {
		w.create(s, "c")
		if s.EndIfIdle() {
			t.Error("ended with a container")
		}
		w.delete(s, "c", "")
	}
	if _, err := s.rpcCreate(ctx, &taskapi.CreateTaskRequest{ID: "d"}); err == nil {
		t.Error("Create without a bundle succeeded")
	}
	if w.count("shutdown") != 0 {
		t.Error("the process ended without being asked")
	}
}

// An empty process ends when it is asked to, and lets nothing new begin.
func TestService_Empty_EndsWhenAsked(t *testing.T) {
	for name, ask := range map[string]func(*Service) bool{
		"signal": (*Service).EndIfIdle,
		"Shutdown": func(s *Service) bool {
			_, err := s.rpcShutdown(ctx, &taskapi.ShutdownRequest{Now: true})
			return err == nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := w.service()
			w.create(s, "c")
			w.delete(s, "c", "")
			if !ask(s) || w.count("shutdown") != 1 {
				t.Error("not ended when empty")
			}
			_, err := s.rpcCreate(ctx, &taskapi.CreateTaskRequest{ID: "d", Bundle: "/b"})
			wantClass(t, "Create after it", err, errdefs.IsUnavailable)
		})
	}
}

// A client with no input to give may say so before its exec is started.
func TestService_CloseIOBeforeExecStart_InputEnds(t *testing.T) {
	for _, during := range []bool{false, true} {
		t.Run(fmt.Sprintf("during=%t", during), func(t *testing.T) {
			w := newWorld(t)
			s := w.service()
			w.create(s, "c")
			w.start(s, "c", "")
			fifo := mkfifo(t)
			// Opened before anybody writes: FreeBSD forgets a fifo that nobody has open,
			// and that it has ended.
			f, err := os.OpenFile(fifo, os.O_RDONLY|syscall.O_NONBLOCK, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			r := execRequest("c", "e")
			r.Stdin = fifo
			if _, err := s.rpcExec(ctx, r); err != nil {
				t.Fatal(err)
			}
			closeIO := func(int) {
				if _, err := s.rpcCloseIO(ctx, &taskapi.CloseIORequest{ID: "c", ExecID: "e", Stdin: true}); err != nil {
					t.Error(err)
				}
			}
			if during {
				w.during["Exec"] = closeIO
			} else {
				closeIO(0)
			}
			pid := w.start(s, "c", "e")
			// Nobody holds the fifo open for writing any more: we are at its end.
			if n, err := syscall.Read(int(f.Fd()), make([]byte, 1)); n != 0 || err != nil {
				t.Errorf("read %d, %v; want the end", n, err)
			}
			w.end(pid, 0)
			w.delete(s, "c", "e")
		})
	}
}

// Who waits for an exec that will never run must not wait for ever.
func TestService_UnstartedExecDeleted_WaitersAreReleased(t *testing.T) {
	for _, with := range []string{"the exec", "its container"} {
		t.Run(with, func(t *testing.T) {
			w := newWorld(t)
			s := w.service()
			pid := w.create(s, "c")
			w.start(s, "c", "")
			w.exec(s, "c", "ended")
			w.end(w.start(s, "c", "ended"), 5)
			w.exec(s, "c", "e")
			_, p, err := s.find("c", "e")
			if err != nil {
				t.Fatal(err)
			}
			if with == "the exec" {
				w.delete(s, "c", "e")
			} else {
				w.end(pid, 0)
				w.wait(s, "c", "")
				w.delete(s, "c", "")
			}
			select {
			case <-p.done:
			default:
				t.Error("who waits is not let go")
			}
		})
	}
}

func TestService_EndsDuringPause_NothingAfterTheExit(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	pid := w.create(s, "c")
	w.start(s, "c", "")
	w.during["Pause"] = func(int) { w.end(pid, 1); w.wait(s, "c", "") }
	if _, err := s.rpcPause(ctx, &taskapi.PauseRequest{ID: "c"}); err != nil {
		t.Error(err)
	}
	wantEvents(t, w, "create", "start", "exit c 1")
	w.delete(s, "c", "")
}

func TestService_OOM_IsPublished(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	pid := w.create(s, "c")
	w.start(s, "c", "")
	w.during["Quiesce"] = func(int) { w.made[0].oom() }
	w.end(pid, 137)
	w.wait(s, "c", "")
	wantEvents(t, w, "create", "start", "oom", "exit c 137")
}

// A process may be out of memory before the runtime has said that it is there, or runs.
func TestService_OOMDuringCreateOrStart_ToldAfterIt(t *testing.T) {
	for _, verb := range []string{"Create", "Start"} {
		t.Run(verb, func(t *testing.T) {
			w := newWorld(t)
			s := w.service()
			w.during[verb] = func(int) { w.made[0].oom() }
			pid := w.create(s, "c")
			w.start(s, "c", "")
			w.end(pid, 137)
			w.wait(s, "c", "")
			wantEvents(t, w, "create", "start", "oom", "exit c 137")
		})
	}
}
