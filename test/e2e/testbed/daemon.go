package testbed

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
	"golang.org/x/sys/unix"
)

// Option changes how a daemon is set up.
type Option func(*Daemon)

// WithContainerd runs the containerd in the given folder instead of the one of
// [ToolsDir]. Its own runc shim and ctr come from there too.
func WithContainerd(dir string) Option {
	return func(d *Daemon) { d.path = append([]string{dir}, d.path...) }
}

// WithShimDir makes containerd find shims in the given folder first.
func WithShimDir(dir string) Option {
	return func(d *Daemon) { d.path = append([]string{dir}, d.path...) }
}

// WithEnv adds a variable to the daemon's environment, which its shims inherit.
func WithEnv(env string) Option {
	return func(d *Daemon) { d.env = append(d.env, env) }
}

// Daemon is a containerd of our own. Its methods are safe for concurrent use,
// except those that start and end it.
type Daemon struct {
	// Dir is the folder of all its files.
	Dir string
	// Address is the path of its gRPC socket; the same over restarts.
	Address string

	path  []string // folders to look for programs in, first to last
	env   []string // additional environment
	lock  *os.File // held as long as this process lives, see sweep
	run   string   // a few characters that no other daemon's objects bear in their names
	guest string   // the guest program, on the host

	spaces  atomic.Int32 // number of spaces made
	restart int          // number of starts, for the name of the ttrpc socket
	cmd     *exec.Cmd
	exited  chan struct{} // closed when cmd has ended
}

// prefix begins the names of the daemons' folders and namespaces.
const prefix = "jt-"

// sweepOnce removes what test processes that were killed have left.
var sweepOnce sync.Once

// StartDaemon starts a containerd with an empty root. Close removes it.
func StartDaemon(opts ...Option) (_ *Daemon, retErr error) {
	sweepOnce.Do(sweep)
	tools, err := ToolsDir()
	if err != nil {
		return nil, err
	}
	bin, err := BinDir()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", prefix)
	if err != nil {
		return nil, err
	}
	d := &Daemon{
		Dir:     dir,
		Address: filepath.Join(dir, "c.sock"),
		path:    []string{bin, tools},
		run:     strings.TrimPrefix(filepath.Base(dir), prefix),
	}
	defer func() {
		if retErr != nil {
			retErr = errors.Join(retErr, d.Close())
		}
	}()
	if d.lock, err = lockOwner(dir); err != nil {
		return nil, err
	}
	for _, o := range opts {
		o(d)
	}
	if d.guest, err = Guest(); err != nil {
		return nil, err
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

// TTRPCAddress is the path of the socket to which shims send events. Each start
// of the daemon has another: shims know the one that they were started with, so
// a test decides when they reach a restarted daemon, see [Daemon.LetEventsIn].
func (d *Daemon) TTRPCAddress() string { return d.ttrpcAddress(d.restart) }

func (d *Daemon) ttrpcAddress(start int) string {
	return filepath.Join(d.Dir, fmt.Sprintf("t%d.sock", start))
}

// Log is the path of the daemon's log, which also holds what shims write to
// theirs.
func (d *Daemon) Log() string { return filepath.Join(d.Dir, "containerd.log") }

// TaskDir is the folder of the bundles of all namespaces.
func (d *Daemon) TaskDir() string {
	return filepath.Join(d.Dir, "state", "io.containerd.runtime.v2.task")
}

// SocketDir is the folder of the shims' sockets.
func (d *Daemon) SocketDir() string { return filepath.Join(d.Dir, "s") }

// StateDir is the folder in which our shim keeps its state for this daemon.
func (d *Daemon) StateDir() string {
	sum := sha256.Sum256([]byte(d.Address))
	return filepath.Join("/var/run/jailshim", hex.EncodeToString(sum[:])[:12])
}

// Guest is the path of the guest program on the host, for hooks and loggers.
func (d *Daemon) Guest() string { return d.guest }

// Pid is the daemon's process.
func (d *Daemon) Pid() int { return d.cmd.Process.Pid }

// Binary finds a program where the daemon would.
func (d *Daemon) Binary(name string) (string, error) {
	for _, dir := range d.path {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("program %s is not in %s: run \"make build tools\"", name, strings.Join(d.path, " nor in "))
}

// Environ is the environment of the daemon and of programs that tests run
// against it.
func (d *Daemon) Environ() []string {
	return append([]string{
		"PATH=" + strings.Join(append(d.path[:len(d.path):len(d.path)], "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"), ":"),
		"HOME=" + d.Dir,
		"TMPDIR=" + d.Dir,
		"CONTAINERD_ADDRESS=" + d.Address,
	}, d.env...)
}

// config is the daemon's configuration: version 3 is what 2.0 to 2.4 all read.
// What the tests don't need is off, so that the daemon starts quickly and no
// plugin reaches outside its folder.
func (d *Daemon) config() string {
	off := []string{
		"io.containerd.grpc.v1.cri",
		"io.containerd.cri.v1.images",
		"io.containerd.cri.v1.runtime",
		"io.containerd.podsandbox.controller.v1.podsandbox",
		"io.containerd.nri.v1.nri",
		"io.containerd.internal.v1.restart",
		"io.containerd.internal.v1.opt",
		"io.containerd.internal.v1.tracing",
		"io.containerd.tracing.processor.v1.otlp",
		"io.containerd.image-verifier.v1.bindir",
		"io.containerd.snapshotter.v1.blockfile",
		"io.containerd.snapshotter.v1.btrfs",
		"io.containerd.snapshotter.v1.devmapper",
		"io.containerd.snapshotter.v1.erofs",
		"io.containerd.differ.v1.erofs",
		"io.containerd.snapshotter.v1.zfs",
	}
	for i, id := range off {
		off[i] = strconv.Quote(id)
	}
	return fmt.Sprintf(`version = 3
root = %q
state = %q
temp = %q
disabled_plugins = [%s]
[grpc]
address = %q
[ttrpc]
address = %q
[debug]
level = "debug"
[plugins.'io.containerd.shim.v1.manager']
socket_dir = %q
`, filepath.Join(d.Dir, "root"), filepath.Join(d.Dir, "state"), filepath.Join(d.Dir, "tmp"),
		strings.Join(off, ", "), d.Address, d.TTRPCAddress(), d.SocketDir())
}

// Start starts the daemon, which must not be running, and waits until it
// answers.
func (d *Daemon) Start() error {
	containerd, err := d.Binary("containerd")
	if err != nil {
		return err
	}
	d.restart++
	file := filepath.Join(d.Dir, "config.toml")
	if err := os.WriteFile(file, []byte(d.config()), 0o644); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(d.Dir, "tmp"), 0o700); err != nil {
		return err
	}
	log, err := os.OpenFile(d.Log(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(containerd, "--config", file)
	cmd.Dir = d.Dir
	cmd.Env = d.Environ()
	cmd.Stdout, cmd.Stderr = log, log
	// A group of its own: an interrupt at the terminal is for the tests, which
	// then end the daemon.
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	// goroutine: of this start of the daemon; ends when the process does;
	// waited for through exited.
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		close(exited)
	}()
	d.cmd, d.exited = cmd, exited
	err = poll(Patience, d.ping)
	if err != nil {
		return fmt.Errorf("containerd does not answer: %w; the end of its log:\n%s", err, d.logTail("", 30))
	}
	return nil
}

// ping asks the daemon for its version.
func (d *Daemon) ping() error {
	select {
	case <-d.exited:
		return errors.New("it has exited")
	default:
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	client, err := containerd.New(d.Address, containerd.WithTimeout(time.Second))
	if err != nil {
		return err
	}
	_, err = client.Version(ctx)
	return errors.Join(err, client.Close())
}

// Kill ends the daemon as a crash would: SIGKILL. It returns when the process is
// gone. The shims and containers stay.
func (d *Daemon) Kill() error { return d.end(unix.SIGKILL) }

func (d *Daemon) end(sig unix.Signal) error {
	if d.cmd == nil {
		return nil
	}
	if err := d.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-d.exited:
	case <-time.After(Patience):
		return fmt.Errorf("containerd (pid %d) is still there %v after %v", d.Pid(), Patience, sig)
	}
	d.cmd = nil
	return nil
}

// LetEventsIn makes the running daemon reachable for events of the shims that
// were started under its predecessors. Until then those shims can't send any,
// so a test that first subscribes to events and then calls this sees all that
// happened while there was no daemon.
func (d *Daemon) LetEventsIn() error {
	for start := 1; start < d.restart; start++ {
		old := d.ttrpcAddress(start)
		if err := os.Remove(old); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err := os.Symlink(d.TTRPCAddress(), old); err != nil {
			return err
		}
	}
	return nil
}

// Client connects to the daemon, for objects in a namespace.
func (d *Daemon) Client(namespace string) (*containerd.Client, error) {
	return containerd.New(d.Address,
		containerd.WithDefaultNamespace(namespace),
		containerd.WithDefaultRuntime(Runtime),
		containerd.WithTimeout(Patience))
}

// Close ends the daemon and removes all its files. It returns an error if
// something was left of its containers; that is then removed too.
func (d *Daemon) Close() error {
	var left []string
	if d.cmd != nil {
		_ = poll(Patience, func() error {
			if left = d.leftovers(); len(left) > 0 {
				return errNotYet
			}
			return nil
		})
	}
	err := d.end(unix.SIGTERM)
	if len(left) > 0 {
		err = errors.Join(err, fmt.Errorf("left over in %s after all its tests:\n%s", d.Dir, strings.Join(left, "\n")))
	}
	if os.Getenv("E2E_KEEP") == "1" {
		fmt.Fprintln(os.Stderr, "testbed: kept", d.Dir)
		return err
	}
	err = errors.Join(err, remove(d.Dir))
	if d.lock != nil {
		err = errors.Join(err, d.lock.Close())
	}
	return err
}

// logTail returns the last n lines of the daemon's log that contain text.
func (d *Daemon) logTail(text string, n int) string {
	log, err := os.ReadFile(d.Log())
	if err != nil {
		return err.Error()
	}
	var lines []string
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, text) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-n):], "")
}
