package applet

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"
)

// patience bounds each step of a conversation between guests.
const patience = 10 * time.Second

// serve answers each TCP connection and each UDP packet on a port, of all addresses,
// with "WORD to PEER", until SIGTERM.
func serve(args []string) int {
	port, word := arg(args, 0), arg(args, 1)
	term := make(chan os.Signal, 1)
	signal.Notify(term, unix.SIGTERM)
	l, err := net.Listen("tcp", ":"+port)
	if err != nil {
		return fail(err)
	}
	c, err := net.ListenPacket("udp", ":"+port)
	if err != nil {
		return fail(err)
	}
	// goroutine: ends with the program.
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprintf(conn, "%s to %s\n", word, host(conn.RemoteAddr()))
			conn.Close()
		}
	}()
	// goroutine: as above.
	go func() {
		b := make([]byte, 1)
		for {
			_, peer, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = c.WriteTo([]byte(word+" to "+host(peer)+"\n"), peer) // it may be gone
		}
	}()
	fmt.Println("ready")
	<-term
	return 0
}

// host is the address without its port.
func host(a net.Addr) string {
	h, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return h
}

// ask prints what a server says.
func ask(args []string) int {
	network, address := arg(args, 0), arg(args, 1)
	conn, err := net.DialTimeout(network, address, patience)
	if err != nil {
		return fail(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return fail(err)
	}
	if network == "udp" {
		if _, err := conn.Write([]byte("?")); err != nil {
			return fail(err)
		}
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fail(err)
	}
	fmt.Print(line)
	return 0
}

// interfaces prints the interfaces that are up, with their addresses.
func interfaces([]string) int {
	all, err := net.Interfaces()
	if err != nil {
		return fail(err)
	}
	for _, i := range all {
		addrs, err := i.Addrs()
		if err != nil {
			return fail(err)
		}
		if i.Flags&net.FlagUp != 0 {
			fmt.Println(i.Name, i.HardwareAddr, addrs)
		}
	}
	return 0
}
