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

	"jailshim/shim"
)

// Daemon is a containerd and its folder. The fields may be changed until Start.
type Daemon struct {
	// Dir is the folder of all its files.
	Dir string
	// Address is the path of its gRPC socket; the same over restarts.
	Address string
	// EventAddress is the path of the socket to which shims send events. A shim
	// knows the one that there was when it was started.
	EventAddress string
	// Path are the folders where it finds programs, first to last.
	Path []string
	// Env is added to its environment, which its shims inherit.
	Env []string
	// Debug makes it and its shims write more into the log.
	Debug bool
	// Extra is added to its configuration: sections of TOML.
	Extra string

	dataset string // of the snapshotter "zfs"; empty: it is off

	cmd    *exec.Cmd
	exited chan struct{} // closed when cmd has ended
}

// New makes the folder of a daemon, in the system's folder for temporary files,
// without starting it. name begins the folder's name. bin is the folder with our
// programs and, below it, the tools.
//
// The caller calls Remove in the end.
func New(name, bin string) (*Daemon, error) {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", name+"-")
	if err != nil {
		return nil, err
	}
	// The kernel tells mount points by their real path.
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, err
	}
	d := At(dir)
	d.Path = []string{bin, Tools(bin)}
	return d, nil
}

// At returns the daemon whose folder is dir, to remove it: one that another
// process has left.
func At(dir string) *Daemon {
	address := filepath.Join(dir, "c.sock")
	return &Daemon{Dir: dir, Address: address, EventAddress: address + ".ttrpc"}
}

// Tools returns the folder with the programs of others, for this system, below
// the folder with ours.
func Tools(bin string) string {
	return filepath.Join(bin, "tools", runtime.GOOS+"-"+runtime.GOARCH)
}

// Name is the name of the daemon's folder: a namespace that nobody else uses, and
// the beginning of more.
func (d *Daemon) Name() string { return filepath.Base(d.Dir) }

// Program returns the path of one of our programs or of a tool, as the daemon
// would find it. One that isn't there is an error with the command that builds
// it.
func (d *Daemon) Program(name string) (string, error) { return Program(name, d.Path...) }

// Program looks for a program in the given folders.
func Program(name string, dirs ...string) (string, error) {
	for _, dir := range dirs {
		file := filepath.Join(dir, name)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
			return file, nil
		}
	}
	return "", fmt.Errorf("program %s is not in %s: run \"make build tools\"", name, strings.Join(dirs, " nor in "))
}

// Environ is the environment of the daemon and of its clients: with it, ctr needs
// no option to talk to this daemon, and the daemon finds our shim and runc before
// those of the host. Nothing of the caller's environment is in it.
func (d *Daemon) Environ() []string {
	system := []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}
	return append([]string{
		"PATH=" + strings.Join(append(d.Path[:len(d.Path):len(d.Path)], system...), ":"),
		"HOME=" + d.Dir,
		"TMPDIR=" + d.Dir,
		"CONTAINERD_ADDRESS=" + d.Address,
	}, d.Env...)
}

// Start starts the daemon, which must not be running, and returns when it
// answers.
func (d *Daemon) Start(ctx context.Context) error {
	program, err := d.Program("containerd")
	if err != nil {
		return err
	}
	if err := os.WriteFile(d.Config(), []byte(d.config()), 0o644); err != nil {
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
	if err := Poll(ctx, Patience, d.ping); err != nil {
		return fmt.Errorf("containerd does not answer: %w; the end of its log:\n%s", err, d.LogTail("", 30))
	}
	return nil
}

// ping asks the daemon for its version.
func (d *Daemon) ping() (retErr error) {
	select {
	case <-d.exited:
		return errors.New("it has ended")
	default:
	}
	client, err := containerd.New(d.Address, containerd.WithTimeout(time.Second))
	if err != nil {
		return err
	}
	defer func() { retErr = errors.Join(retErr, client.Close()) }()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, err = client.Version(ctx)
	return err
}

// Client connects to the daemon, for objects in a namespace. The caller closes
// it.
func (d *Daemon) Client(namespace string, opts ...containerd.Opt) (*containerd.Client, error) {
	return containerd.New(d.Address, append([]containerd.Opt{
		containerd.WithDefaultNamespace(namespace),
		containerd.WithTimeout(Patience),
	}, opts...)...)
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
	case <-time.After(Patience):
		return fmt.Errorf("containerd (pid %d) is still there %v after signal %v", d.Pid(), Patience, sig)
	}
	d.cmd = nil
	return nil
}

// Log is the path of the daemon's log, which also holds what shims write to
// theirs.
func (d *Daemon) Log() string { return filepath.Join(d.Dir, "containerd.log") }

// LogTail returns the last n lines of the log that contain text, or why it can't
// be read.
func (d *Daemon) LogTail(text string, n int) string {
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

// Bundles is the folder of the containers' bundles, below a folder for each
// namespace.
func (d *Daemon) Bundles() string {
	return filepath.Join(d.Dir, "state", "io.containerd.runtime.v2.task")
}

// Sockets is the folder of the shims' sockets.
func (d *Daemon) Sockets() string { return filepath.Join(d.Dir, "s") }

// StateDir is the folder in which our shim keeps its state for this daemon.
func (d *Daemon) StateDir() string {
	return filepath.Join(stateRoot(), filepath.Base(shim.StateDir(d.Address)))
}

// stateRoot is the folder of our state for all daemons, by its real path, which
// is how the kernel tells mount points.
func stateRoot() string {
	dir, err := filepath.EvalSymlinks(filepath.Dir(shim.StateRoot))
	if err != nil {
		return shim.StateRoot
	}
	return filepath.Join(dir, filepath.Base(shim.StateRoot))
}
