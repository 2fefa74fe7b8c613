package testbed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/errdefs"

	"jailshim/test/daemon"
)

// lifetime bounds what a test does with its space: a call that hangs fails with
// an error of its own rather than with the whole test binary.
const lifetime = 4 * time.Minute

// Space is a test's namespace in a daemon.
type Space struct {
	Daemon    *Daemon
	Namespace string
	// Dir is a folder for the test's files and fifos; it goes with the space.
	Dir string
	// Ctx is for all calls: it carries the namespace and ends with the test.
	Ctx context.Context
	// Client is connected to the daemon. After a restart see [Space.Reconnect].
	Client *containerd.Client
	// Image is [ImageName], unpacked.
	Image containerd.Image
	// Events records every event of the namespace.
	Events *Recorder
	// AnyEvents says that the test breaks something that would have told all
	// events: their order isn't checked at its end.
	AnyEvents bool

	sockets    stringSet // the shims' sockets that were seen
	containers int       // made so far, for ids
}

// stringSet is a set of strings that is safe for concurrent use.
type stringSet struct {
	mu sync.Mutex // guards the field below
	m  map[string]struct{}
}

func (s *stringSet) add(v string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = map[string]struct{}{}
	}
	s.m[v] = struct{}{}
}

func (s *stringSet) all() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for v := range s.m {
		all = append(all, v)
	}
	return all
}

// NewSpace makes a namespace with the image in it. When the test ends, it removes
// the containers that the test left and fails the test unless the events are
// complete and in order and nothing is left over.
func (d *Daemon) NewSpace(tb testing.TB) *Space {
	tb.Helper()
	Require(tb, Root)
	s := &Space{
		Daemon:    d,
		Namespace: fmt.Sprintf("%s-%03d", d.Name(), d.spaces.Add(1)),
	}
	s.Dir = filepath.Join(d.Dir, s.Namespace)
	// Others than root enter it: loggers write there, containers mount it.
	for _, dir := range []string{s.Dir, s.fifoDir()} {
		if err := os.Mkdir(dir, 0o777); err != nil {
			tb.Fatal(err)
		}
	}
	s.Events = newRecorder(s.Namespace)
	ctx, cancel := context.WithTimeout(context.Background(), lifetime)
	s.Ctx = namespaces.WithNamespace(ctx, s.Namespace)
	tb.Cleanup(func() {
		s.close(tb)
		cancel()
	})
	s.Reconnect(tb)
	images, err := s.Client.Import(s.Ctx, bytes.NewReader(guest.image))
	if err != nil {
		tb.Fatalf("import the image: %v", err)
	}
	if len(images) != 1 || images[0].Name != ImageName {
		tb.Fatalf("imported %v, want one image %s", images, ImageName)
	}
	s.Image = containerd.NewImage(s.Client, images[0])
	if err := s.Image.Unpack(s.Ctx, Snapshotter); err != nil {
		tb.Fatalf("unpack the image: %v", err)
	}
	return s
}

// Snapshotter holds the images and containers of the spaces.
var Snapshotter = envOr("E2E_SNAPSHOTTER", daemon.DefaultSnapshotter)

func (s *Space) fifoDir() string { return filepath.Join(s.Dir, "fifo") }

// Reconnect makes a new Client and subscribes to events: at first, and after the
// daemon was started again. Objects of the old client don't work any more.
func (s *Space) Reconnect(tb testing.TB) {
	tb.Helper()
	if s.Client != nil {
		if err := s.Client.Close(); err != nil {
			tb.Errorf("close the client: %v", err)
		}
	}
	var err error
	if s.Client, err = s.Daemon.Client(s.Namespace); err != nil {
		tb.Fatalf("connect to containerd: %v", err)
	}
	if err := s.Events.Subscribe(s.Ctx, s.Client); err != nil {
		tb.Fatalf("subscribe to events: %v", err)
	}
}

// Bundle is the folder of a container's bundle.
func (s *Space) Bundle(id string) string {
	return filepath.Join(s.Daemon.Bundles(), s.Namespace, id)
}

// ExpectClean fails the test unless all that belonged to containers goes away
// within [Patience], without anybody's doing.
func (s *Space) ExpectClean(tb testing.TB) {
	tb.Helper()
	err := poll(Patience, func() error {
		if left := s.Leftovers(); len(left) > 0 {
			slices.Sort(left)
			return errors.New(strings.Join(left, "\n"))
		}
		return nil
	})
	if err != nil {
		tb.Errorf("left over in namespace %s after %v:\n%v", s.Namespace, Patience, err)
	}
}

// close is the end of every test.
func (s *Space) close(tb testing.TB) {
	tb.Helper()
	if s.Client == nil {
		return // it never began
	}
	s.RemoveAll(tb)
	s.ExpectClean(tb)
	if !s.AnyEvents {
		if err := poll(Patience, func() error { return s.Events.Check(true) }); err != nil {
			tb.Errorf("events of namespace %s: %v", s.Namespace, err)
		}
	}
	if tb.Failed() {
		s.dump(tb)
	}
	if err := s.Client.Close(); err != nil {
		tb.Errorf("close the client: %v", err)
	}
}

// RemoveAll kills and deletes all containers of the namespace, as a client would
// that knows nothing of what happened to them.
func (s *Space) RemoveAll(tb testing.TB) {
	tb.Helper()
	if err := s.removeAll(); err != nil {
		tb.Errorf("remove all containers of namespace %s: %v", s.Namespace, err)
	}
}

func (s *Space) removeAll() error {
	ctx, cancel := context.WithTimeout(s.Ctx, Patience)
	defer cancel()
	containers, err := s.Client.Containers(ctx)
	if err != nil {
		return err
	}
	errs := make([]error, len(containers))
	var wg sync.WaitGroup
	for i, c := range containers {
		wg.Go(func() { errs[i] = removeContainer(ctx, c) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func removeContainer(ctx context.Context, c containerd.Container) error {
	task, err := c.Task(ctx, nil)
	if err == nil {
		_, err = task.Delete(ctx, containerd.WithProcessKill)
	}
	if err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("task %s: %w", c.ID(), err)
	}
	if err := c.Delete(ctx, containerd.WithSnapshotCleanup); err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("container %s: %w", c.ID(), err)
	}
	return nil
}

// dump logs what helps to understand a failed test.
func (s *Space) dump(tb testing.TB) {
	tb.Helper()
	var events strings.Builder
	for _, e := range s.Events.All() {
		fmt.Fprintln(&events, " ", e)
	}
	tb.Logf("events of namespace %s:\n%s", s.Namespace, events.String())
	tb.Logf("containerd's log about it:\n%s", s.Daemon.LogTail(s.Namespace, 60))
	tb.Logf("the end of containerd's log:\n%s", s.Daemon.LogTail("", 20))
}

// Log returns the lines of the daemon's log, shims' messages included, that
// contain text.
func (s *Space) Log(text string) string { return s.Daemon.LogTail(text, 1<<30) }

// Command returns a command line client of containerd (ctr, nerdctl), set to this
// space's daemon and namespace. It is killed when it takes longer than any should.
func (s *Space) Command(tb testing.TB, name string, args ...string) *exec.Cmd {
	tb.Helper()
	path, err := s.Daemon.Program(name)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.Ctx, 2*Patience)
	tb.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, path, append([]string{"--address", s.Daemon.Address, "--namespace", s.Namespace}, args...)...)
	cmd.Env = s.Daemon.Environ()
	cmd.Dir = s.Dir
	return cmd
}

// LogMark is a place in the daemon's log.
type LogMark struct {
	path   string
	offset int64
}

// LogMark returns the log's present end.
func (s *Space) LogMark(tb testing.TB) LogMark {
	tb.Helper()
	info, err := os.Stat(s.Daemon.Log())
	if err != nil {
		tb.Fatal(err)
	}
	return LogMark{s.Daemon.Log(), info.Size()}
}

// Await waits until text is in the log after the mark, and returns the log from
// the mark to it.
func (m LogMark) Await(tb testing.TB, text string) string {
	tb.Helper()
	var found string
	Until(tb, fmt.Sprintf("%q in the daemon's log", text), func() error {
		log, err := os.ReadFile(m.path)
		if err != nil {
			return err
		}
		before, _, ok := strings.Cut(string(log[m.offset:]), text)
		if !ok {
			return errNotYet
		}
		found = before
		return nil
	})
	return found
}
