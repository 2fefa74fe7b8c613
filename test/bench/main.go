package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"

	"jailshim/test/daemon"
)

// config is what the command line says.
type config struct {
	bin      string
	docs     string
	only     string // measure only what has this in its name
	check    bool
	ours     string // name of our runtime
	theirs   string // name of the runtime to compare it with; empty: none
	pairs    int    // of single runs
	rounds   int    // pairs of what takes longer
	parallel int    // containers at once
	settle   time.Duration
	hostConfig
}

func main() {
	var c config
	flag.StringVar(&c.bin, "bin", "bin", "folder of our programs, with the tools below it")
	flag.StringVar(&c.docs, "docs", "", "folder to write "+page+".json, .md and .svg to; empty: don't")
	flag.StringVar(&c.only, "only", "", "measure only what has this text in its name")
	flag.BoolVar(&c.check, "check", false, "fail if a bound is not met")
	flag.StringVar(&c.ours, "runtime", "io.containerd.jail.v2", "runtime to measure")
	flag.StringVar(&c.theirs, "against", defaultPeer, "runtime to compare it with; empty: none")
	flag.IntVar(&c.pairs, "n", 20, "pairs of single runs")
	flag.IntVar(&c.rounds, "rounds", 5, "pairs of parallel runs and of memory samples")
	flag.IntVar(&c.parallel, "parallel", 20, "containers at once in a parallel run")
	flag.DurationVar(&c.settle, "settle", 3*time.Second, "how long a shim is left alone before its memory is read")
	c.flags()
	flag.Parse()
	if flag.NArg() > 0 || c.pairs < 1 || c.rounds < 1 || c.parallel < 1 {
		flag.Usage()
		os.Exit(2)
	}
	if c.only != "" {
		c.docs = "" // the files are of a whole run
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer stop()
	if err := run(ctx, &c, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, c *config, out io.Writer) (retErr error) {
	if os.Geteuid() != 0 {
		return errors.New("containers need root: run it as root")
	}
	d, err := daemon.New("jailshim-bench", c.bin)
	if err != nil {
		return err
	}
	d.Env = append(d.Env, "CONTAINERD_NAMESPACE="+d.Name())
	c.prepare(d)
	defer func() {
		if retErr != nil && ctx.Err() == nil {
			retErr = fmt.Errorf("%w\nthe end of containerd's log:\n%s", retErr, d.LogTail("", 60))
		}
		retErr = errors.Join(retErr, d.Remove())
	}()
	b, err := newBench(ctx, c, d, out)
	if err != nil {
		return err
	}
	r, err := b.measure()
	if err := errors.Join(err, b.client.Close()); err != nil {
		return err
	}
	r.table(out)
	if c.docs != "" {
		if err := r.write(c.docs); err != nil {
			return err
		}
	}
	if missed := r.missed(); c.check && len(missed) > 0 {
		return fmt.Errorf("bounds not met: %q", missed)
	}
	return nil
}
