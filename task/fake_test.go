package task

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	eventsapi "github.com/containerd/containerd/api/events"
	taskapi "github.com/containerd/containerd/api/runtime/task/v2"
	"github.com/containerd/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"google.golang.org/protobuf/types/known/anypb"

	"jailshim/driver"
	"jailshim/options"
)

const waitLimit = 10 * time.Second

// world is a driver and a reaper whose processes end when a test says so: what
// real ones can't be made to do at a given moment.
type world struct {
	t *testing.T

	mu      sync.Mutex
	nextPid int
	shims   int
	watched map[int]func(int, time.Time)
	ended   map[int]int // status of processes that ended unwatched
	events  []string
	exits   []uint32 // pids of the exits among them
	calls   []string
	// fail names the driver's verb that is to fail.
	fail string
	// during is called in the middle of the driver's verb, before and after the reaper
	// begins to watch a process, or before an event of the topic is queued.
	during map[string]func(pid int)
	// program is what an exec does with its standard output.
	program func(stdout *os.File)
	made    []*fakeContainer
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{t: t, nextPid: 100, watched: make(map[int]func(int, time.Time)), ended: make(map[int]int), during: make(map[string]func(int))}
}

// service returns the service of a shim called shim1, shim2 and so on.
func (w *world) service() *Service {
	w.shims++
	return NewService(Config{
		Namespace:  "ns",
		Shim:       fmt.Sprintf("shim%d", w.shims),
		StateDir:   w.t.TempDir(),
		Reaper:     w,
		Events:     w,
		NewRuntime: func(string, options.Options) (driver.Runtime, error) { return fakeRuntime{w}, nil },
		Shutdown:   func() { w.note("shutdown") },
		Log:        slog.New(slog.DiscardHandler),
	})
}

// verb records a call of the driver, and fails it if the test wants that.
func (w *world) verb(name string, pid int) error {
	w.note(name)
	w.mu.Lock()
	during, fail := w.during[name], w.fail == name
	w.mu.Unlock()
	if during != nil {
		during(pid)
	}
	if fail {
		return errors.New(name + " fails")
	}
	return nil
}

func (w *world) note(call string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, call)
}

// count returns how often a call was recorded.
func (w *world) count(call string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, c := range w.calls {
		if c == call {
			n++
		}
	}
	return n
}

func (w *world) pid() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nextPid++
	return w.nextPid
}

// end makes a process end.
func (w *world) end(pid, status int) {
	w.mu.Lock()
	fn := w.watched[pid]
	delete(w.watched, pid)
	if fn == nil {
		w.ended[pid] = status
	}
	w.mu.Unlock()
	if fn != nil {
		fn(status, time.Now())
	}
}

// Publish implements Publisher: it keeps a short form of each event.
func (w *world) Publish(topic string, event any) {
	s := topic[len("/tasks/"):]
	switch e := event.(type) {
	case *eventsapi.TaskExit:
		s = fmt.Sprintf("exit %s %d", e.ID, e.ExitStatus)
	case *eventsapi.TaskExecAdded:
		s += " " + e.ExecID
	case *eventsapi.TaskExecStarted:
		s += " " + e.ExecID
	}
	w.mu.Lock()
	during := w.during[topic]
	w.mu.Unlock()
	if during != nil {
		during(0)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, s)
	if e, ok := event.(*eventsapi.TaskExit); ok {
		w.exits = append(w.exits, e.Pid)
	}
}

// exitPid returns the pid of the last exit.
func (w *world) exitPid() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return int(w.exits[len(w.exits)-1])
}

func (w *world) seen() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.events...)
}

func (w *world) Hold() func() { return func() {} }

func (w *world) Watch(pid int, fn func(int, time.Time)) error {
	if err := w.verb("before Watch", pid); err != nil {
		return err
	}
	w.mu.Lock()
	status, over := w.ended[pid]
	if !over {
		w.watched[pid] = fn
	}
	w.mu.Unlock()
	if over {
		fn(status, time.Now())
	}
	return w.verb("after Watch", pid)
}

func (w *world) Signal(pid int, sig syscall.Signal) error {
	w.mu.Lock()
	_, ok := w.watched[pid]
	w.mu.Unlock()
	if !ok {
		return syscall.ESRCH
	}
	w.end(pid, 128+int(sig))
	return nil
}

func (w *world) Start(c *exec.Cmd) error { return c.Start() }
func (w *world) Wait(c *exec.Cmd) error  { return c.Wait() }

type fakeRuntime struct{ w *world }

func (r fakeRuntime) Create(_ context.Context, c *driver.CreateConfig) (driver.Container, error) {
	k := &fakeContainer{w: r.w, id: c.ID, pid: r.w.pid(), oom: c.OOM}
	r.w.mu.Lock()
	r.w.made = append(r.w.made, k)
	r.w.mu.Unlock()
	if err := r.w.verb("Create", k.pid); err != nil {
		return nil, err
	}
	return k, nil
}

func (r fakeRuntime) Remove(context.Context, string, string) error { return r.w.verb("Remove", 0) }

func (r fakeRuntime) Pid(id, _ string) int {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	for _, k := range r.w.made {
		if k.id == id {
			return k.pid
		}
	}
	return 0
}

func (r fakeRuntime) Info(context.Context) (driver.Info, error) { return driver.Info{}, nil }

type fakeContainer struct {
	w   *world
	id  string
	pid int
	oom func()
}

func (k *fakeContainer) Init() driver.Process        { return driver.Process{Pid: k.pid} }
func (k *fakeContainer) Start(context.Context) error { return k.w.verb("Start", k.pid) }

func (k *fakeContainer) Exec(_ context.Context, e *driver.ExecConfig) (driver.Process, error) {
	pid := k.w.pid()
	if k.w.program != nil {
		k.w.program(e.Stdio.Stdout)
	}
	return driver.Process{Pid: pid}, k.w.verb("Exec", pid)
}

func (k *fakeContainer) KillAll(_ context.Context, sig syscall.Signal) error {
	if err := k.w.verb("KillAll", k.pid); err != nil {
		return err
	}
	if err := k.w.Signal(k.pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

func (k *fakeContainer) Quiesce(context.Context) error { return k.w.verb("Quiesce", k.pid) }
func (k *fakeContainer) Pids(context.Context) ([]int, error) {
	return nil, k.w.verb("Pids", k.pid)
}
func (k *fakeContainer) Stats(context.Context) (any, error) {
	return nil, errdefs.ErrNotImplemented
}
func (k *fakeContainer) Update(context.Context, *specs.LinuxResources) error {
	return k.w.verb("Update", k.pid)
}
func (k *fakeContainer) Pause(context.Context) error  { return k.w.verb("Pause", k.pid) }
func (k *fakeContainer) Resume(context.Context) error { return k.w.verb("Resume", k.pid) }
func (k *fakeContainer) Delete(context.Context) error { return k.w.verb("Delete", k.pid) }

// Helpers that call the service as a client does.

func (w *world) create(s *Service, id string) int {
	w.t.Helper()
	r, err := s.rpcCreate(context.Background(), &taskapi.CreateTaskRequest{ID: id, Bundle: "/b/" + id})
	if err != nil {
		w.t.Fatal(err)
	}
	return int(r.Pid)
}

func (w *world) start(s *Service, id, exec string) int {
	w.t.Helper()
	r, err := s.rpcStart(context.Background(), &taskapi.StartRequest{ID: id, ExecID: exec})
	if err != nil {
		w.t.Fatal(err)
	}
	return int(r.Pid)
}

func (w *world) exec(s *Service, id, exec string) {
	w.t.Helper()
	if _, err := s.rpcExec(context.Background(), execRequest(id, exec)); err != nil {
		w.t.Fatal(err)
	}
}

func execRequest(id, exec string) *taskapi.ExecProcessRequest {
	return &taskapi.ExecProcessRequest{ID: id, ExecID: exec, Spec: &anypb.Any{
		TypeUrl: "types.containerd.io/opencontainers/runtime-spec/1/Process",
		Value:   []byte(`{"args":["true"],"cwd":"/"}`),
	}}
}

func (w *world) wait(s *Service, id, exec string) int {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
	defer cancel()
	r, err := s.rpcWait(ctx, &taskapi.WaitRequest{ID: id, ExecID: exec})
	if err != nil {
		w.t.Fatal(err)
	}
	return int(r.ExitStatus)
}

func (w *world) delete(s *Service, id, exec string) int {
	w.t.Helper()
	r, err := s.rpcDelete(context.Background(), &taskapi.DeleteRequest{ID: id, ExecID: exec})
	if err != nil {
		w.t.Fatal(err)
	}
	return int(r.ExitStatus)
}
