// Package applet holds the commands of the guest. Each is a few lines, uses
// nothing of the image but itself, and writes what it does in a form that a test
// can wait for.
package applet

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// applet is one command: it gets the arguments after its name and returns the
// exit status. A wrong call panics with a usageError.
type applet struct {
	usage string
	run   func(args []string) int
}

// applets is filled by init because the commands that start others look
// themselves up.
var applets map[string]applet

func init() {
	applets = map[string]applet{
		// processes
		"true":             {"", func([]string) int { return 0 }},
		"exit":             {"STATUS", exit},
		"die":              {"SIGNAL: end by this signal", die},
		"sleep":            {"SECONDS|inf", sleep},
		"hold":             {"reap children until SIGTERM, then exit with 0", hold},
		"signal-trap":      {"print every signal, for ever", signalTrap},
		"spawn-grandchild": {"[-ignore-term] SECONDS: leave a child that holds stdout and stderr, and exit", spawnGrandchild},
		"alloc":            {"BYTES: touch so much memory, then hold it", alloc},

		// input and output
		"echo":    {"WORD…", echo},
		"cat":     {"[FILE…]", cat},
		"write":   {"FILE TEXT: append a line", write},
		"bytes":   {"N [stdout|stderr|both] [hold]: the first N bytes of the test pattern", bytesOut},
		"flood":   {"FILE: write lines for ever, their count to FILE", flood},
		"winsize": {"print the terminal's size, now and at each change", winsize},
		"tty":     {"say for each of stdin, stdout, stderr if it is a terminal", tty},

		// what the process was given
		"serve": {"PORT WORD: answer each TCP connection and UDP packet with \"WORD to PEER\"", serve},
		"ask":   {"tcp|udp HOST:PORT: print what the server says", ask},
		"ifs":   {"print the interfaces that are up", interfaces},

		"env": {"", env},
		"id":  {"", id},
		"pwd": {"", pwd},

		// on the host's side of a container
		"hook":   {"FILE POINT [STATUS]: append POINT and the state on stdin to FILE, exit with STATUS", hook},
		"logger": {"DIR: binary logger that writes to DIR/<id>.stdout and DIR/<id>.stderr", logger},
		"logger-dies": {"[silent]: binary logger that ends after the first byte, or before it is ready",
			loggerDies},
	}
}

// Names returns the names of all commands, sorted.
func Names() []string { return slices.Sorted(maps.Keys(applets)) }

// usageError is panicked with by a command that was called wrongly.
type usageError string

// Main runs the command that os.Args names and exits.
func Main() {
	args := os.Args
	name := filepath.Base(args[0])
	cmd, ok := applets[name]
	if !ok && len(args) > 1 {
		args = args[1:]
		name = args[0]
		cmd, ok = applets[name]
	}
	if !ok {
		fmt.Fprintln(os.Stderr, "guest: no such command; there are:")
		for _, n := range Names() {
			fmt.Fprintf(os.Stderr, "  %s %s\n", n, applets[n].usage)
		}
		os.Exit(64)
	}
	defer func() {
		if u, ok := recover().(usageError); ok {
			fmt.Fprintf(os.Stderr, "guest %s: %s; usage: %s %s\n", name, string(u), name, cmd.usage)
			os.Exit(64)
		}
	}()
	os.Exit(cmd.run(args[1:]))
}

// arg returns args[i].
func arg(args []string, i int) string {
	if i < 0 || i >= len(args) {
		panic(usageError("an argument is missing"))
	}
	return args[i]
}

// fail reports err and returns the exit status for it.
func fail(err error) int {
	fmt.Fprintln(os.Stderr, "guest:", err)
	return 1
}
