package task

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	taskapi "github.com/containerd/containerd/api/runtime/task/v2"
)

// endWithExecs runs a container with execs that have this standard output, all to their
// end.
func (w *world) endWithExecs(s *Service, id string, stdout ...string) {
	w.t.Helper()
	pid := w.create(s, id)
	w.start(s, id, "")
	for i, out := range stdout {
		r := execRequest(id, fmt.Sprintf("e%d", i))
		r.Stdout = out
		if _, err := s.rpcExec(ctx, r); err != nil {
			w.t.Fatal(err)
		}
		w.end(w.start(s, id, r.ExecID), 0)
	}
	w.end(pid, 0)
	w.wait(s, id, "")
}

// A client may delete a container with execs that it has not deleted, and reads or logs
// slowly: what the execs wrote must not be lost.
func TestService_DeleteWithExecs_OutputArrives(t *testing.T) {
	const size = 1000000
	w := newWorld(t)
	w.program = func(stdout *os.File) {
		cmd := exec.Command("head", "-c", strconv.Itoa(size), "/dev/zero")
		cmd.Stdout = stdout
		if err := cmd.Start(); err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { _ = cmd.Wait() })
	}
	for name, sink := range map[string]func(t *testing.T) (uri string, got func() int){
		"fifo":   slowReader,
		"logger": slowLogger,
	} {
		t.Run(name, func(t *testing.T) {
			s := w.service()
			uri, got := sink(t)
			w.endWithExecs(s, "c", uri)
			w.delete(s, "c", "")
			if n := got(); n != size {
				t.Errorf("%d bytes, want %d", n, size)
			}
		})
	}
}

// slowReader makes a fifo that is read slowly. got waits for its end.
func slowReader(t *testing.T) (uri string, got func() int) {
	t.Helper()
	path := mkfifo(t)
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	// Without a writer there would be nothing but the end to read.
	writer, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	total := make(chan int, 1)
	// goroutine: of this test; ends at the end of the stream.
	go func() {
		defer f.Close()
		n := 0
		buf := make([]byte, 8192)
		for {
			k, err := f.Read(buf)
			n += k
			writer.Close() // the exec has it open by now
			if err != nil {
				total <- n
				return
			}
			time.Sleep(5 * time.Millisecond) // the slowness under test
		}
	}()
	return path, func() int { return <-total }
}

// slowLogger makes a logger that begins to read late. got tells what it has logged.
func slowLogger(t *testing.T) (uri string, got func() int) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	script := "exec 5>&-; sleep 1; exec cat <&3 >" + log
	return "binary:///bin/sh?-c=" + url.QueryEscape(script), func() int {
		b, err := os.ReadFile(log)
		if err != nil {
			t.Error(err)
		}
		return len(b)
	}
}

// What a stream is waited for adds up to more than a client waits if one follows the other.
func TestService_DeleteWithManyHeldStreams_WaitsOnce(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	w.program = func(stdout *os.File) {
		held, err := syscall.Dup(int(stdout.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { syscall.Close(held) })
	}
	var fifos []string
	for range 50 {
		fifos = append(fifos, mkfifo(t))
	}
	w.endWithExecs(s, "c", fifos...)
	begin := time.Now()
	w.delete(s, "c", "")
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("took %v", d)
	}
}

func mkfifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A Delete that can't take the container off the record leaves it, to be deleted again:
// otherwise who waits for an exec is never let go, and no TaskDelete comes.
func TestService_RecordStays_DeleteCanBeRepeated(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	pid := w.create(s, "c")
	w.start(s, "c", "")
	w.exec(s, "c", "unstarted")
	_, p, err := s.find("c", "unstarted")
	if err != nil {
		t.Fatal(err)
	}
	w.end(pid, 5)
	w.wait(s, "c", "")
	// A folder in the record's place can't be removed as a file.
	path := recordPath(s.StateDir, "ns", "c")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := s.rpcDelete(ctx, &taskapi.DeleteRequest{ID: "c"}); err == nil {
		t.Fatal("Delete succeeded")
	}
	wantEvents(t, w, "create", "start", "exec-added unstarted", "exit c 5")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got := w.delete(s, "c", ""); got != 5 {
		t.Errorf("status %d, want 5", got)
	}
	wantEvents(t, w, "create", "start", "exec-added unstarted", "exit c 5", "delete")
	select {
	case <-p.done:
	default:
		t.Error("who waits for the exec is not let go")
	}
}

// A client that sees the TaskDelete of the old container after the TaskCreate of the new
// one takes the new one for deleted.
func TestService_Delete_EventBeforeTheIDIsFree(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	w.create(s, "c")
	told := false
	w.during[topicDelete] = func(int) {
		told = true
		if !s.mu.TryLock() {
			return // nobody can take the id now
		}
		defer s.mu.Unlock()
		if _, ok := s.containers["c"]; !ok {
			t.Error("the id is free before the TaskDelete is queued")
		}
	}
	w.delete(s, "c", "")
	if !told || !idle(s) {
		t.Errorf("told: %t, idle: %t", told, idle(s))
	}
}
