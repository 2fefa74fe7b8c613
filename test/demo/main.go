// Demo shows our shim at work: it starts a containerd of its own in a temporary
// folder, makes a small image from programs of the host, runs containers with
// the real ctr, kills containerd under them, removes everything and counts what
// is left. It prints every command as a user would type it, and what it printed.
//
// "make demo" builds what it needs and runs it, as root. The exit status is 0 if
// everything went as it should and nothing is left over; it cleans up after a
// failure and ^C as well.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"jailshim/test/daemon"
)

func main() {
	bin := flag.String("bin", "bin", "folder of our programs, with the tools below it")
	runtime := flag.String("runtime", "io.containerd.jail.v2", "runtime to show")
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer stop()
	// A reader that goes away is no reason to leave containers behind: let writes
	// fail. Caught, not ignored, because containers would inherit "ignored".
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE)
	if err := run(ctx, *bin, *runtime); err != nil {
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, bin, runtime string) (retErr error) {
	if os.Geteuid() != 0 {
		return errors.New("containers need root: run it as root")
	}
	d, err := daemon.New("jailshim-demo", bin)
	if err != nil {
		return err
	}
	d.Env = append(d.Env, "CONTAINERD_NAMESPACE="+d.Name())
	s := &show{ctx: ctx, daemon: d, runtime: runtime, out: os.Stdout}
	defer func() {
		if retErr != nil {
			if ctx.Err() != nil {
				retErr = errors.New("interrupted")
			} else {
				retErr = fmt.Errorf("%w\n\nthe end of containerd's log:\n%s", retErr, d.LogTail("", 15))
			}
		}
		retErr = errors.Join(retErr, d.Remove())
	}()
	return s.run(bin)
}
