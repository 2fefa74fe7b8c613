package shim

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// start answers containerd's start: it finds or makes the group's server and
// prints its address. It must print nothing else, on either stream: containerd
// parses both together.
func start(inv *invocation, stdin io.Reader, stdout io.Writer) (retErr error) {
	boot, err := readBootstrap(stdin, inv.id, inv.namespace)
	if err != nil {
		return err
	}
	bundle, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	group, err := bundleGroup(bundle, inv.id)
	if err != nil {
		return err
	}
	if inv.address == "" {
		inv.address = boot.grpcAddress
	}
	socket, err := newSocketAddress(boot.socketDir, inv.address, inv.namespace, group)
	if err != nil {
		return err
	}
	listener, err := socket.listenOrJoin()
	if err != nil {
		return err
	}
	if listener != nil {
		defer func() {
			// In this order: once we have closed it, the next start may
			// have put its own in its place.
			if retErr != nil {
				os.Remove(string(socket))
			}
			listener.Close()
		}()
		if err := startServer(inv, boot, bundle, socket, listener); err != nil {
			return err
		}
	}
	b, err := socket.reply()
	if err != nil {
		return err
	}
	_, err = stdout.Write(b)
	return err
}

// startServer starts this binary again as the server, with the listener as
// descriptor 3 and no other descriptor of ours: one that it inherited would
// keep containerd waiting for the end of start's output.
func startServer(inv *invocation, boot *bootstrap, bundle string, socket socketAddress, l *net.UnixListener) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	f, err := l.File()
	if err != nil {
		return err
	}
	defer f.Close()

	args := []string{"-namespace", inv.namespace, "-id", inv.id, "-address", inv.address, "-socket", string(socket)}
	if inv.debug || boot.debug {
		args = append(args, "-debug")
	}
	cmd := exec.Command(self, args...)
	cmd.Dir = bundle
	cmd.ExtraFiles = []*os.File{f}
	cmd.Env = serverEnv(os.Environ(), boot)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the server %s: %w", filepath.Base(self), err)
	}
	// The server should survive longer than the containers when memory is
	// short, and containerd longer than the server. Without the right to say
	// so it still works.
	_ = protectFromOOM(cmd.Process.Pid)
	return cmd.Process.Release()
}

// serverEnv is the environment of the server: start's own, with the address
// that the bootstrap parameters name.
func serverEnv(env []string, boot *bootstrap) []string {
	if boot.ttrpcAddress == "" {
		return env
	}
	out := make([]string, 0, len(env)+1)
	for _, kv := range env {
		if !strings.HasPrefix(kv, envTTRPCAddress+"=") {
			out = append(out, kv)
		}
	}
	return append(out, envTTRPCAddress+"="+boot.ttrpcAddress)
}

// envTTRPCAddress names the environment variable with the address to which
// events are forwarded.
const envTTRPCAddress = "TTRPC_ADDRESS"
