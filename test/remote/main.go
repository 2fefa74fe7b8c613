// Remote runs tests on another machine, which needs nothing but sshd and a few
// programs that every system has: it builds them here, for that machine, copies
// what has changed, runs them there as root, shows the results as they come, and
// brings them and the logs back. It does the same for the benchmark.
//
//	remote e2e [-run PATTERN]             the end-to-end tests
//	remote unit [-run PATTERN] [PACKAGE…]  unit tests; of all packages that have
//	                                      files for that system, if none is named
//	remote bench [-runj DIR] [-ocijail PATH] [FLAG…]
//	                                      the benchmark, with the flags that come
//	                                      after "--"; what it writes goes to docs
//
// "make e2e-freebsd", "make unit-freebsd" and "make bench-freebsd" call it. Where the machine is, the
// environment says:
//
//	E2E_FREEBSD_SSH          user@host or user@host:port; the user must be root's equal
//	E2E_FREEBSD_KEY          the private key; default: what ssh finds
//	E2E_FREEBSD_KNOWN_HOSTS  the file with the machine's key; default: ssh's
//	E2E_FREEBSD_DIR          folder there; default: /var/tmp/jailshim
//
// All other variables that begin with E2E_ are passed on to the tests, see package
// testbed. A machine that can't be reached is an error.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"
)

// settings is what the command line says.
type settings struct {
	run       string        // pattern of the tests
	timeout   time.Duration // of all of them together
	gotestsum string
	out       string // folder for results
	runj      string // folder
	ocijail   string // path
	rest      []string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer stop()
	if err := command(ctx, os.Args[1:]); err != nil {
		var failed *failedError
		if !errors.As(err, &failed) { // what has failed has been shown
			fmt.Fprintln(os.Stderr, "remote:", err)
		}
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string) error {
	if len(args) == 2 && args[0] == "stream" {
		return stream(args[1])
	}
	var s settings
	flags := flag.NewFlagSet("remote", flag.ContinueOnError)
	flags.StringVar(&s.run, "run", ".", "run only tests that match `pattern`")
	flags.DurationVar(&s.timeout, "timeout", 30*time.Minute, "end the tests after this `time`")
	flags.StringVar(&s.gotestsum, "gotestsum", "gotestsum", "`path` of gotestsum")
	flags.StringVar(&s.out, "out", "", "`folder` for the results; default: bin/KIND-SYSTEM")
	flags.StringVar(&s.runj, "runj", "", "bench: compare with runj, whose three programs are in this `folder`")
	flags.StringVar(&s.ocijail, "ocijail", "", "bench: compare with this `program`")
	if len(args) == 0 {
		return errors.New(`what to run? "e2e", "unit" or "bench", then flags`)
	}
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	s.rest = flags.Args()
	switch args[0] {
	case "e2e":
		if len(s.rest) > 0 {
			return fmt.Errorf("e2e takes no packages, got %q", s.rest)
		}
		return run(ctx, &s, (*builder).endToEnd, "e2e")
	case "unit":
		return run(ctx, &s, (*builder).units, "unit")
	case "bench":
		return run(ctx, &s, (*builder).benchmark, "bench")
	default:
		return fmt.Errorf(`%q is none of "e2e", "unit" and "bench"`, args[0])
	}
}

// run does everything, for the tests that prepare builds.
func run(ctx context.Context, s *settings, prepare func(*builder, context.Context, *settings) (*suite, error), kind string) (retErr error) {
	m, err := connect(ctx)
	if err != nil {
		return err
	}
	defer func() { retErr = errors.Join(retErr, m.close()) }()
	b := &builder{goos: m.goos, goarch: m.goarch, out: "bin/remote/" + m.goos + "-" + m.goarch}
	t, err := prepare(b, ctx, s)
	if err != nil {
		return err
	}
	if s.out == "" {
		s.out = "bin/" + kind + "-" + m.goos
	}
	t.kind, t.dir = kind, m.dir+"/"+kind
	if err := m.send(ctx, t); err != nil {
		return fmt.Errorf("send the tests to %s: %w", m.host, err)
	}
	if kind == "bench" {
		return m.bench(ctx, t)
	}
	return m.test(ctx, s, t)
}
