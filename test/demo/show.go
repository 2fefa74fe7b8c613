package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"jailshim/test/daemon"
)

// show is one run of the demo.
type show struct {
	ctx     context.Context
	daemon  *daemon.Daemon
	runtime string
	out     io.Writer
	image   *content
	env     []string // exported variables
}

// say prints what comes next.
func (s *show) say(format string, args ...any) {
	fmt.Fprintf(s.out, "\n# "+format+"\n", args...)
}

// note prints something that the demo found out by itself.
func (s *show) note(format string, args ...any) {
	fmt.Fprintf(s.out, "  "+format+"\n", args...)
}

// typed prints a command as one would type it in the daemon's folder; tail
// follows unquoted.
func (s *show) typed(command []string, tail string) {
	quoted := make([]string, len(command))
	for i, word := range command {
		quoted[i] = quote(word)
	}
	line := strings.ReplaceAll(strings.Join(quoted, " "), s.daemon.Dir+"/", "$PWD/")
	fmt.Fprintf(s.out, "$ %s%s\n", line, tail)
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// quote writes a word so that a shell reads it as one.
func quote(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// command is a command that is shown.
type command struct {
	show   *show
	words  []string
	cmd    *exec.Cmd
	cancel context.CancelFunc
	output bytes.Buffer // what it printed; complete after wait
}

// start prints a ctr command and starts it, with its output shown as it comes.
func (s *show) start(tail string, args ...string) (*command, error) {
	c, err := s.prepare(args)
	if err != nil {
		return nil, err
	}
	return c, c.start(tail)
}

// start prints the command and starts it, with its output shown as it comes.
func (c *command) start(tail string) error {
	out := io.MultiWriter(&indent{w: c.show.out}, &c.output)
	c.cmd.Stdout, c.cmd.Stderr = out, out
	c.show.typed(c.words, tail)
	return c.cmd.Start()
}

// prepare makes a ctr command.
func (s *show) prepare(args []string) (*command, error) {
	ctr, err := s.daemon.Program("ctr")
	if err != nil {
		return nil, err
	}
	return s.command("ctr", ctr, args), nil
}

// command makes a command that runs a program under a name. It is bounded, so
// that a hang becomes an error that says where.
func (s *show) command(name, program string, args []string) *command {
	ctx, cancel := context.WithTimeout(s.ctx, daemon.Patience)
	c := &command{
		show: s, words: append([]string{name}, args...),
		cmd: exec.CommandContext(ctx, program, args...), cancel: cancel,
	}
	c.cmd.Env = append(s.daemon.Environ(), s.env...)
	// ^C is for the demo, which then ends the command.
	c.cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	return c
}

// wait waits for the command, whose exit status must be want.
func (c *command) wait(want int) error {
	defer c.cancel()
	err := c.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("%s: %w", strings.Join(c.words, " "), err)
	}
	got := c.cmd.ProcessState.ExitCode()
	if got != 0 {
		c.show.note("exit status %d", got)
	}
	if got != want {
		return fmt.Errorf("%s: ended with %v, expected exit status %d", strings.Join(c.words, " "), c.cmd.ProcessState, want)
	}
	return nil
}

// ctr runs a ctr command, shows it and its output, and returns the output. Its
// exit status must be want.
func (s *show) ctr(want int, args ...string) (string, error) {
	c, err := s.start("", args...)
	if err != nil {
		return "", err
	}
	err = c.wait(want)
	return c.output.String(), err
}

// indent writes lines two columns to the right, without carriage returns.
type indent struct {
	w      io.Writer
	inLine bool
}

// Write implements io.Writer. It never fails, so that a reader that has gone
// does not end the commands that are shown.
func (i *indent) Write(p []byte) (int, error) {
	var b bytes.Buffer
	for _, c := range p {
		if c == '\r' {
			continue
		}
		if !i.inLine {
			b.WriteString("  ")
		}
		b.WriteByte(c)
		i.inLine = c != '\n'
	}
	_, _ = i.w.Write(b.Bytes())
	return len(p), nil
}

// file returns the path of a file in the daemon's folder.
func (s *show) file(name string) string { return filepath.Join(s.daemon.Dir, name) }

// export sets an environment variable for the commands that follow.
func (s *show) export(name, value string) {
	s.env = append(s.env, name+"="+value)
	s.typed([]string{"export", name + "=" + value}, "")
}

// sleep shows that time passes.
func (s *show) sleep(seconds int) {
	s.typed([]string{"sleep", strconv.Itoa(seconds)}, "")
	select {
	case <-time.After(time.Duration(seconds) * time.Second):
	case <-s.ctx.Done():
	}
}
