package testbed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	containerd "github.com/containerd/containerd/v2/client"
	"golang.org/x/sys/unix"

	"jailshim/test/daemon"
)

// Option changes how a daemon is set up.
type Option func(*Daemon)

// WithContainerd runs the containerd in the given folder instead of the one of
// [ToolsDir]. Its own runc shim and ctr come from there too.
func WithContainerd(dir string) Option {
	return func(d *Daemon) { d.Path = append([]string{dir}, d.Path...) }
}

// WithShimDir makes containerd find shims in the given folder first.
func WithShimDir(dir string) Option {
	return func(d *Daemon) { d.Path = append([]string{dir}, d.Path...) }
}

// WithEnv adds a variable to the daemon's environment, which its shims inherit.
func WithEnv(env string) Option {
	return func(d *Daemon) { d.Env = append(d.Env, env) }
}

// Daemon is a containerd of our own. Its methods are safe for concurrent use,
// except those that start and end it.
type Daemon struct {
	*daemon.Daemon

	lock  *os.File // held as long as this process lives, see sweep
	guest string   // the guest program, on the host

	spaces  atomic.Int32 // number of spaces made
	restart int          // number of starts, for the name of the ttrpc socket
}

// prefix begins the names of the daemons' folders and namespaces.
const prefix = "jt-"

// sweepOnce removes what test processes that were killed have left.
var sweepOnce sync.Once

// StartDaemon starts a containerd with an empty root. Close removes it.
func StartDaemon(opts ...Option) (_ *Daemon, retErr error) {
	sweepOnce.Do(sweep)
	bin, err := BinDir()
	if err != nil {
		return nil, err
	}
	inner, err := daemon.New(strings.TrimSuffix(prefix, "-"), bin)
	if err != nil {
		return nil, err
	}
	d := &Daemon{Daemon: inner}
	d.Debug = true
	defer func() {
		if retErr != nil {
			retErr = errors.Join(retErr, d.Close())
		}
	}()
	if d.lock, err = lockOwner(d.Dir); err != nil {
		return nil, err
	}
	for _, o := range opts {
		o(d)
	}
	if d.guest, err = Guest(); err != nil {
		return nil, err
	}
	if Snapshotter == "zfs" {
		parent := os.Getenv("E2E_ZFS")
		if parent == "" {
			return nil, errors.New("E2E_SNAPSHOTTER=zfs needs E2E_ZFS, the name of a dataset to make others in")
		}
		if err := d.UseZFS(parent); err != nil {
			return nil, err
		}
	}
	return d, d.Start()
}

// NewDaemon starts a containerd for one test, and closes it when the test ends.
func NewDaemon(tb testing.TB, opts ...Option) *Daemon {
	tb.Helper()
	Require(tb, Root)
	d, err := StartDaemon(opts...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := d.Close(); err != nil {
			tb.Errorf("close the daemon: %v", err)
		}
	})
	return d
}

// eventAddress is the path of the socket to which shims send events. Each start
// of the daemon has another: shims know the one that they were started with, so
// a test decides when they reach a restarted daemon, see [Daemon.LetEventsIn].
func (d *Daemon) eventAddress(start int) string {
	return filepath.Join(d.Dir, fmt.Sprintf("t%d.sock", start))
}

// Guest is the path of the guest program on the host, for hooks and loggers.
func (d *Daemon) Guest() string { return d.guest }

// Start starts the daemon, which must not be running, and waits until it
// answers.
func (d *Daemon) Start() error {
	d.restart++
	d.EventAddress = d.eventAddress(d.restart)
	return d.Daemon.Start(context.Background())
}

// Kill ends the daemon as a crash would: SIGKILL. It returns when the process is
// gone. The shims and containers stay.
func (d *Daemon) Kill() error { return d.End(unix.SIGKILL) }

// LetEventsIn makes the running daemon reachable for events of the shims that
// were started under its predecessors. Until then those shims can't send any,
// so a test that first subscribes to events and then calls this sees all that
// happened while there was no daemon.
func (d *Daemon) LetEventsIn() error {
	for start := 1; start < d.restart; start++ {
		old := d.eventAddress(start)
		if err := os.Remove(old); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err := os.Symlink(d.EventAddress, old); err != nil {
			return err
		}
	}
	return nil
}

// Client connects to the daemon, for objects in a namespace.
func (d *Daemon) Client(namespace string) (*containerd.Client, error) {
	return d.Daemon.Client(namespace, containerd.WithDefaultRuntime(Runtime))
}

// Close ends the daemon and removes all its files. It returns an error if
// something was left of its containers; that is then removed too.
func (d *Daemon) Close() error {
	var left []string
	if d.Pid() != 0 {
		_ = poll(Patience, func() error {
			if left = d.leftovers(d.Name()); len(left) > 0 {
				return errNotYet
			}
			return nil
		})
	}
	err := d.End(unix.SIGTERM)
	if len(left) > 0 {
		err = errors.Join(err, fmt.Errorf("left over in %s after all its tests:\n%s", d.Dir, strings.Join(left, "\n")))
	}
	err = errors.Join(err, d.keepLog())
	if os.Getenv("E2E_KEEP") == "1" {
		fmt.Fprintln(os.Stderr, "testbed: kept", d.Dir)
		return err
	}
	err = errors.Join(err, d.Remove())
	if d.lock != nil {
		err = errors.Join(err, d.lock.Close())
	}
	return err
}

// keepLog copies the log to the folder that E2E_LOGS names, if it does.
func (d *Daemon) keepLog() error {
	dir := os.Getenv("E2E_LOGS")
	if dir == "" {
		return nil
	}
	log, err := os.ReadFile(d.Log())
	if errors.Is(err, os.ErrNotExist) {
		return nil // it never started
	}
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, d.Name()+".log"), log, 0o644)
}
