package cli

import (
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// consoleSocket is the socket of a caller that wants a terminal's master side.
// Nil is none.
type consoleSocket struct{ net.Conn }

// dial connects to the console socket, if the caller names one. It is done first:
// a socket where nobody listens should cost no container.
func (h *handover) dial() (*consoleSocket, error) {
	if h.socket == "" {
		return nil, nil
	}
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: h.socket, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("console socket: %w", err)
	}
	return &consoleSocket{conn}, nil
}

// send sends the master: the descriptor as ancillary data, with a name for it as
// data. Receivers demand that there is some.
func (s *consoleSocket) send(master *os.File) error {
	// Fd makes the descriptor blocking, which receivers expect.
	_, _, err := s.Conn.(*net.UnixConn).WriteMsgUnix([]byte(master.Name()), unix.UnixRights(int(master.Fd())), nil)
	if err != nil {
		return fmt.Errorf("console socket: send the terminal: %w", err)
	}
	return nil
}

func (s *consoleSocket) close() {
	if s != nil {
		s.Close()
	}
}
