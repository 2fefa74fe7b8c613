package shim

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A server that has stopped to accept for a while is not dead. (FreeBSD answers as
// if it were, once some two hundred wait.)
func TestListenOrJoin_QueueFull_Joins(t *testing.T) {
	a := testAddress(t)
	if err := os.MkdirAll(filepath.Dir(string(a)), 0o700); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: string(a)}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	for {
		c, err := net.Dial("unix", string(a))
		if err != nil {
			break
		}
		defer c.Close()
	}
	if l, err := a.listenOrJoin(); err != nil || l != nil {
		t.Errorf("got %v, %v; want to join", l, err)
	}
}
