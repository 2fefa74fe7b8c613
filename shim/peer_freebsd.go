package shim

import (
	"context"
	"fmt"
	"net"
	"os"

	"github.com/containerd/ttrpc"
	"golang.org/x/sys/unix"
)

// sameUser accepts clients that run as the same user as the server.
func sameUser() ttrpc.Handshaker { return peerCred{} }

// peerCred checks LOCAL_PEERCRED, unix(4): the credentials at connect(2).
type peerCred struct{}

func (peerCred) Handshake(_ context.Context, conn net.Conn) (net.Conn, any, error) {
	u, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, nil, fmt.Errorf("client on a %T, not a UNIX socket", conn)
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return nil, nil, err
	}
	var cred *unix.Xucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	}); err != nil {
		return nil, nil, err
	}
	if credErr != nil {
		return nil, nil, fmt.Errorf("credentials of the client: %w", credErr)
	}
	if int(cred.Uid) != os.Geteuid() {
		return nil, nil, fmt.Errorf("client has uid %d, not %d", cred.Uid, os.Geteuid())
	}
	return conn, cred, nil
}
