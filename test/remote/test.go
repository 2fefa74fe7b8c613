package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// failedError says that tests have failed, which has been shown.
type failedError struct{ error }

func (e *failedError) Unwrap() error { return e.error }

// test runs the suite, shows its results, and puts them and the logs into the
// folder for results.
func (m *machine) test(ctx context.Context, s *settings, t *suite) error {
	if err := os.RemoveAll(s.out); err != nil {
		return err
	}
	if err := os.MkdirAll(s.out, 0o755); err != nil {
		return err
	}
	if err := m.sendScripts(ctx, t); err != nil {
		return err
	}
	var commands [][]string
	for i, p := range t.tests {
		commands = append(commands, append([]string{goProgram(), "tool", "test2json", "-t", "-p", p.pkg}, m.ssh(t.runScript(i))...))
	}
	plan := filepath.Join(m.local, "commands")
	b, err := json.Marshal(commands)
	if err != nil {
		return err
	}
	if err := os.WriteFile(plan, b, 0o600); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	format := "testname"
	if len(t.tests) > 1 {
		format = "pkgname-and-test-fails"
	}
	cmd := exec.CommandContext(ctx, s.gotestsum, "--format", format,
		"--junitfile", filepath.Join(s.out, "junit.xml"), "--jsonfile", filepath.Join(s.out, "tests.json"),
		"--raw-command", "--", self, "stream", plan)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	// It ends when the tests do, with what they have shown until then.
	cmd.Cancel = func() error { return m.end(context.WithoutCancel(ctx), t) }
	cmd.WaitDelay = patience
	failed := cmd.Run()
	ctx = context.WithoutCancel(ctx)
	// What showed the tests may have been ended and not they.
	return errors.Join(m.end(ctx, t), m.fetchLogs(ctx, s, t), asFailed(s, failed))
}

// sendScripts writes a script for each of the suite's programs.
func (m *machine) sendScripts(ctx context.Context, t *suite) error {
	var scripts strings.Builder
	for i, p := range t.tests {
		fmt.Fprintf(&scripts, "cat >%s <<'END'\n%sEND\n", quote(t.scriptFile(i)), t.script(p))
	}
	_, err := m.sh(ctx, scripts.String())
	return err
}

func (t *suite) scriptFile(i int) string { return fmt.Sprintf("%s/run%d.sh", t.dir, i) }

// runScript is the command that runs a script on the machine.
func (t *suite) runScript(i int) string { return "sh " + quote(t.scriptFile(i)) }

// asFailed tells failed tests from a gotestsum that could not run.
func asFailed(s *settings, err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		note("results and logs are in %s", s.out)
		return &failedError{err}
	}
	return err
}

// script returns the shell script that runs a test program on the machine.
func (t *suite) script(p test) string {
	var b strings.Builder
	fmt.Fprintf(&b, "cd %s || exit\n", quote(t.dir))
	fmt.Fprintf(&b, "echo $$ >%s/pid\n", quote(t.dir))
	// Of the environment only what is said here, as it differs between machines.
	b.WriteString("set -- HOME=/root PATH=/sbin:/bin:/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin\n")
	for _, e := range p.env {
		fmt.Fprintf(&b, "set -- \"$@\" \"%s\"\n", e)
	}
	for _, e := range os.Environ() {
		if strings.HasPrefix(e, "E2E_") && !strings.HasPrefix(e, "E2E_FREEBSD_") {
			fmt.Fprintf(&b, "set -- \"$@\" %s\n", quote(e))
		}
	}
	fmt.Fprintf(&b, "cd %s || exit\n", quote(p.dir))
	fmt.Fprintf(&b, "exec env -i \"$@\" ./%s", p.name)
	for _, a := range p.args {
		b.WriteByte(' ')
		rest, here := strings.CutPrefix(a, "$PWD")
		if here {
			b.WriteString(`"$PWD"`)
		}
		b.WriteString(quote(rest))
	}
	return b.String() + "\n"
}

// stream is the program under gotestsum: it runs the commands of a file one after
// the other, each of which writes the results of a package.
func stream(plan string) error {
	b, err := os.ReadFile(plan)
	if err != nil {
		return err
	}
	var commands [][]string
	if err := json.Unmarshal(b, &commands); err != nil {
		return err
	}
	var errs []error
	for _, c := range commands {
		cmd := exec.Command(c[0], c[1:]...)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Run(); err != nil {
			errs = append(errs, &failedError{err})
		}
	}
	return errors.Join(errs...)
}

// running is a shell condition: a test program of the suite runs; pid is its
// process then. A number that is another process's by now doesn't count.
func (t *suite) running() string {
	return fmt.Sprintf(`pid=$(cat %s/pid 2>/dev/null) && ps -p "$pid" -o command= 2>/dev/null | grep -q -e %s`, quote(t.dir), quote(t.mark))
}

// end ends the test program, if one still runs on the machine, and keeps the next
// from starting.
func (m *machine) end(ctx context.Context, t *suite) error {
	_, err := m.sh(ctx, fmt.Sprintf("rm -f %s/run*.sh\nif %s; then kill \"$pid\"; fi\n", quote(t.dir), t.running()))
	return err
}

// fetchLogs brings the logs back.
func (m *machine) fetchLogs(ctx context.Context, s *settings, t *suite) error {
	if err := m.fetch(ctx, t, "{ dmesg >logs/dmesg.txt 2>/dev/null || true; } && tar -czf - logs", s.out); err != nil {
		return fmt.Errorf("fetch the logs: %w", err)
	}
	return nil
}

// fetch unpacks what a script, in the suite's folder, packs.
func (m *machine) fetch(ctx context.Context, t *suite, script, to string) error {
	var stream bytes.Buffer
	if err := m.pipe(ctx, "sh -c "+quote(fmt.Sprintf("cd %s && %s", quote(t.dir), script)), nil, &stream); err != nil {
		return err
	}
	return unpack(&stream, to)
}

// unpack writes the regular files of a compressed tar stream below dir.
func unpack(r io.Reader, dir string) error {
	z, err := gzip.NewReader(r)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir) // whatever the names are, they stay below it
	if err != nil {
		return err
	}
	defer root.Close()
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if err := writeFile(root, h.Name, t); err != nil {
			return err
		}
	}
}

func writeFile(root *os.Root, name string, r io.Reader) error {
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := root.Create(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}
