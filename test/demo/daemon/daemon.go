package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
	"golang.org/x/sys/unix"
)

// patience is how long the daemon may take to answer after its start, and
// anything of it to be gone after it was told to.
const patience = 20 * time.Second

// pollEvery is how often a condition is looked at again.
const pollEvery = 10 * time.Millisecond

// Daemon is a containerd and its folder.
type Daemon struct {
	// Dir is the folder of all its files.
	Dir string
	// Address is the path of its socket.
	Address string
	// Namespace is a containerd namespace that nobody else uses.
	Namespace string

	path   []string // folders of programs
	cmd    *exec.Cmd
	exited chan struct{} // closed when cmd has ended
}

// New makes the folder of a daemon, in the system's folder for temporary files,
// without starting it. name begins the folder's name and the namespace's. bin
// is the folder with our programs and, below it, the tools.
//
// The caller calls Close in the end.
func New(name, bin string) (*Daemon, error) {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", name+"-")
	if err != nil {
		return nil, err
	}
	d := &Daemon{
		Dir:       dir,
		Address:   filepath.Join(dir, "c.sock"),
		Namespace: filepath.Base(dir),
		path:      []string{bin, filepath.Join(bin, "tools", runtime.GOOS+"-"+runtime.GOARCH)},
	}
	if err := os.WriteFile(d.Config(), []byte(d.config()), 0o644); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return d, nil
}

// Program returns the path of one of our programs or of a tool.
func (d *Daemon) Program(name string) (string, error) {
	for _, dir := range d.path {
		file := filepath.Join(dir, name)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
			return file, nil
		}
	}
	return "", fmt.Errorf("program %s is not in %s: run \"make build tools\"", name, strings.Join(d.path, " nor in "))
}

// Environ is the environment for the daemon and its clients: with it, ctr needs
// no option to talk to this daemon about this namespace, and the daemon finds
// our shim and runc before those of the host.
func (d *Daemon) Environ() []string {
	return append(os.Environ(),
		"PATH="+strings.Join(append(d.path[:len(d.path):len(d.path)], os.Getenv("PATH")), ":"),
		"CONTAINERD_ADDRESS="+d.Address,
		"CONTAINERD_NAMESPACE="+d.Namespace,
	)
}

// Start starts the daemon, which must not be running, and returns when it
// answers.
func (d *Daemon) Start(ctx context.Context) error {
	program, err := d.Program("containerd")
	if err != nil {
		return err
	}
	log, err := os.OpenFile(d.Log(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(program, "--config", d.Config())
	cmd.Dir, cmd.Env = d.Dir, d.Environ()
	cmd.Stdout, cmd.Stderr = log, log
	// A process group of its own: ^C is for the program that uses the daemon,
	// which then ends the daemon in its own order.
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
	if err := poll(ctx, d.ping); err != nil {
		return fmt.Errorf("containerd does not answer: %w; the end of its log:\n%s", err, d.LogTail(20))
	}
	return nil
}

func (d *Daemon) ping() (retErr error) {
	select {
	case <-d.exited:
		return errors.New("it has ended")
	default:
	}
	client, err := d.Client()
	if err != nil {
		return err
	}
	defer func() { retErr = errors.Join(retErr, client.Close()) }()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, err = client.Version(ctx)
	return err
}

// Client connects to the daemon. The caller closes it.
func (d *Daemon) Client() (*containerd.Client, error) {
	return containerd.New(d.Address, containerd.WithDefaultNamespace(d.Namespace), containerd.WithTimeout(time.Second))
}

// Pid is the running daemon's process, 0 if it does not run.
func (d *Daemon) Pid() int {
	if d.cmd == nil {
		return 0
	}
	return d.cmd.Process.Pid
}

// End sends the daemon a signal that ends it, and returns when it has ended. Its
// shims and containers stay. Without a running daemon it does nothing.
func (d *Daemon) End(sig unix.Signal) error {
	if d.cmd == nil {
		return nil
	}
	if err := d.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-d.exited:
	case <-time.After(patience):
		return fmt.Errorf("containerd (pid %d) still runs %v after signal %v", d.Pid(), patience, sig)
	}
	d.cmd = nil
	return nil
}

// Log is the path of the daemon's log.
func (d *Daemon) Log() string { return filepath.Join(d.Dir, "containerd.log") }

// LogTail returns the last n lines of the log, or why it can't be read.
func (d *Daemon) LogTail(n int) string {
	log, err := os.ReadFile(d.Log())
	if err != nil {
		return err.Error()
	}
	lines := strings.SplitAfter(string(log), "\n")
	return strings.Join(lines[max(0, len(lines)-n-1):], "")
}

// poll calls cond until it returns nil; after [patience], or when ctx ends, it
// returns cond's last error.
func poll(ctx context.Context, cond func() error) error {
	deadline := time.After(patience)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := cond()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-deadline:
			return err
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}
