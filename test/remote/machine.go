package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// machine is where the tests run. One connection carries all that is done there.
type machine struct {
	host         string // for ssh
	dir          string // folder there
	goos, goarch string
	sshArgs      []string // before the host
	local        string   // temporary folder here, with the connection's socket
}

// patience is how long the machine may take to answer.
const patience = 30 * time.Second

// destination splits user@host:port, where the port and the user may be missing,
// and an IPv6 address is in brackets.
func destination(s string) (host, port string, err error) {
	at := strings.LastIndex(s, "@") + 1
	host, port = s[at:], ""
	if i := strings.LastIndex(host, ":"); i >= 0 && !strings.HasSuffix(host, "]") {
		host, port = host[:i], host[i+1:]
		if port == "" || strings.Trim(port, "0123456789") != "" {
			return "", "", fmt.Errorf("%q: the port is no number; want user@host:port", s)
		}
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if host == "" || strings.HasPrefix(s, "-") {
		return "", "", fmt.Errorf("%q names no machine; want user@host:port", s)
	}
	return s[:at] + host, port, nil
}

// connect reaches the machine and asks what it is.
func connect(ctx context.Context) (_ *machine, retErr error) {
	target := os.Getenv("E2E_FREEBSD_SSH")
	if target == "" {
		return nil, errors.New("which machine? set E2E_FREEBSD_SSH=user@host:port, and E2E_FREEBSD_KEY to the file with the key")
	}
	host, port, err := destination(target)
	if err != nil {
		return nil, fmt.Errorf("E2E_FREEBSD_SSH: %w", err)
	}
	m := &machine{host: host, dir: os.Getenv("E2E_FREEBSD_DIR")}
	if m.dir == "" {
		m.dir = "/var/tmp/jailshim"
	}
	// The real temporary folder: a socket's path must be short.
	if m.local, err = os.MkdirTemp("/tmp", "remote-"); err != nil {
		return nil, err
	}
	defer func() {
		if retErr != nil {
			retErr = errors.Join(retErr, m.close())
		}
	}()
	m.sshArgs = []string{
		"-o", "BatchMode=yes", "-o", fmt.Sprintf("ConnectTimeout=%d", int(patience.Seconds())),
		"-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=8",
		"-o", "ControlPath=" + filepath.Join(m.local, "s"),
	}
	if port != "" {
		m.sshArgs = append(m.sshArgs, "-p", port)
	}
	if key := os.Getenv("E2E_FREEBSD_KEY"); key != "" {
		m.sshArgs = append(m.sshArgs, "-i", key, "-o", "IdentitiesOnly=yes")
	}
	if hosts := os.Getenv("E2E_FREEBSD_KNOWN_HOSTS"); hosts != "" {
		m.sshArgs = append(m.sshArgs, "-o", "UserKnownHostsFile="+hosts, "-o", "StrictHostKeyChecking=yes")
	}
	// In a session of its own, so that ^C ends the tests and not the connection,
	// over which they are then ended and their logs fetched.
	master := exec.CommandContext(ctx, "ssh", append(m.sshArgs, "-o", "ControlMaster=yes", "-f", "-N", m.host)...)
	master.Stderr = os.Stderr
	master.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := master.Run(); err != nil {
		return nil, fmt.Errorf("reach %s (E2E_FREEBSD_SSH): ssh: %w", target, err)
	}
	out, err := m.sh(ctx, "uname -s; uname -m; id -u; uname -r\n")
	if err != nil {
		return nil, err
	}
	answer := strings.Fields(out)
	if len(answer) < 4 {
		return nil, fmt.Errorf("%s answers uname with %q", m.host, out)
	}
	m.goos, m.goarch = strings.ToLower(answer[0]), answer[1]
	switch m.goarch {
	case "x86_64":
		m.goarch = "amd64"
	case "aarch64":
		m.goarch = "arm64"
	}
	if answer[2] != "0" {
		return nil, fmt.Errorf("user %s of %s is not root: containers need root", answer[2], m.host)
	}
	note("%s is %s %s, %s", m.host, answer[0], answer[3], m.goarch)
	return m, nil
}

// ssh returns a command that runs something on the machine.
func (m *machine) ssh(command string) []string {
	return append(append([]string{"ssh"}, m.sshArgs...), m.host, command)
}

// sh runs a shell script on the machine and returns what it prints. It doesn't
// matter what the user's shell is there.
func (m *machine) sh(ctx context.Context, script string) (string, error) {
	var out bytes.Buffer
	err := m.pipe(ctx, "sh -s", strings.NewReader("set -eu\n"+script), &out)
	return out.String(), err
}

// pipe runs a command on the machine with the given input and output.
func (m *machine) pipe(ctx context.Context, command string, in io.Reader, out io.Writer) error {
	args := m.ssh(command)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("on %s: %w: %s", m.host, err, bytes.TrimSpace(stderr.Bytes()))
	}
	return nil
}

// close ends the connection.
func (m *machine) close() error {
	if _, err := os.Stat(filepath.Join(m.local, "s")); err == nil {
		args := append(m.sshArgs, "-O", "exit", m.host)
		if out, err := exec.Command("ssh", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("end the connection: %w: %s", err, out)
		}
	}
	return os.RemoveAll(m.local)
}

// quote writes a word so that a shell reads it as one.
func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

// note tells what is going on.
func note(format string, args ...any) { fmt.Fprintf(os.Stderr, "remote: "+format+"\n", args...) }
