package applet

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"jailshim/test/guest/pattern"
)

func echo(args []string) int {
	if _, err := fmt.Println(strings.Join(args, " ")); err != nil {
		return fail(err)
	}
	return 0
}

func cat(args []string) int {
	if len(args) == 0 {
		if _, err := io.Copy(os.Stdout, os.Stdin); err != nil {
			return fail(err)
		}
	}
	for _, name := range args {
		f, err := os.Open(name)
		if err != nil {
			return fail(err)
		}
		_, err = io.Copy(os.Stdout, f)
		if err := errors.Join(err, f.Close()); err != nil {
			return fail(err)
		}
	}
	return 0
}

func write(args []string) int {
	if err := appendLine(arg(args, 0), arg(args, 1)); err != nil {
		return fail(err)
	}
	return 0
}

// appendLine adds a line to a file in one write, so that several processes may
// share the file.
func appendLine(name, line string) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line + "\n")
	return errors.Join(err, f.Close())
}

// bytesOut writes the pattern to one stream, or to both at the same time, so that
// neither may wait for the other. With a last argument "hold" it then stays.
func bytesOut(args []string) int {
	if last := len(args) - 1; arg(args, last) == "hold" {
		if code := bytesOut(args[:last]); code != 0 {
			return code
		}
		return hold(nil)
	}
	n := int64(number(arg(args, 0)))
	to := []*os.File{os.Stdout}
	if len(args) > 1 {
		switch args[1] {
		case "stdout":
		case "stderr":
			to = []*os.File{os.Stderr}
		case "both":
			to = append(to, os.Stderr)
		default:
			panic(usageError(fmt.Sprintf("no stream %q", args[1])))
		}
	}
	errs := make([]error, len(to))
	var wg sync.WaitGroup
	for i, f := range to {
		wg.Go(func() { errs[i] = pattern.Copy(f, n) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return fail(err)
	}
	return 0
}

// flood writes lines as fast as they are taken. A test reads from FILE, through
// an exec, whether it still gets on.
func flood(args []string) int {
	progress, err := os.Create(arg(args, 0))
	if err != nil {
		return fail(err)
	}
	filler := strings.Repeat(".", 100)
	for i := 1; ; i++ {
		if _, err := fmt.Println(i, filler); err != nil {
			return fail(err)
		}
		if _, err := progress.WriteAt([]byte(strconv.Itoa(i)), 0); err != nil {
			return fail(err)
		}
	}
}

func winsize([]string) int {
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, unix.SIGWINCH)
	term := onTerm()
	for {
		ws, err := unix.IoctlGetWinsize(0, unix.TIOCGWINSZ)
		if err != nil {
			return fail(fmt.Errorf("size of the terminal on stdin: %w", err))
		}
		fmt.Printf("size %dx%d\n", ws.Col, ws.Row)
		select {
		case <-changed:
		case <-term:
			return 0
		}
	}
}

func tty([]string) int {
	for fd, name := range []string{"stdin", "stdout", "stderr"} {
		_, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
		fmt.Printf("%s %t\n", name, err == nil)
	}
	return 0
}
