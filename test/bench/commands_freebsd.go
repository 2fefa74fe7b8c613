package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"jailshim/jailctl/kernel"
	"jailshim/test/daemon"
)

// commandMeasures are the parts of a container's life by the OCI command.
func commandMeasures() []*measure {
	const name = "OCI command"
	measures := []*measure{{Name: name + ": create, start, state, delete", Unit: "ms", Bound: notSlower}}
	for _, command := range []string{"create", "start", "state", "delete"} {
		measures = append(measures, &measure{Name: name + ": " + command, Unit: "ms"})
	}
	return measures
}

// commands compares the OCI command with ocijail.
func (j *jails) commands(r *report, n int) error {
	measures, theirs := commandMeasures(), j.bench.config.ocijail
	if theirs == "" {
		fmt.Fprintf(j.bench.out, "%s: left out, -ocijail names nothing to compare it with\n", measures[0].Name)
		return nil
	}
	ours, err := j.bench.daemon.Program("jailctl")
	if err != nil {
		return err
	}
	dir := filepath.Join(j.bench.daemon.Dir, "command")
	if err := writeBundle(dir, j.plainSpec()); err != nil {
		return err
	}
	return j.bench.series(r, series{pairs: n, peer: "ocijail", measures: measures, f: func(mine bool) (sample, error) {
		if mine {
			return j.command(ours, dir)
		}
		return j.command(theirs, dir)
	}})
}

// plainSpec is the containers' spec without what no OCI command takes from
// containerd: the root is there, and mounted by whoever made the bundle.
func (j *jails) plainSpec() *specs.Spec {
	p := j.spec.Process
	return &specs.Spec{
		Version: "1.0.2", // the latest of all commands
		Root:    &specs.Root{Path: j.root[0].Source},
		Process: &specs.Process{Args: []string{trueProgram}, Env: p.Env, Cwd: p.Cwd},
		Mounts:  j.spec.Mounts,
	}
}

// command runs an OCI command for each step of a container's life. The times are
// the commands' alone: how long the container runs is not in them.
func (j *jails) command(program, bundle string) (sample, error) {
	// The jail bears this name; the daemon's name in it tells whose it is.
	id := j.bench.daemon.Name() + "-" + j.bench.id()
	state := filepath.Join(bundle, filepath.Base(program))
	pidFile := filepath.Join(bundle, "pid")
	output, err := os.Create(filepath.Join(bundle, "output"))
	if err != nil {
		return nil, err
	}
	defer output.Close()
	total, times := 0.0, sample{0}
	for _, args := range [][]string{
		{"create", "--bundle", bundle, "--pid-file", pidFile, id},
		{"start", id}, {"state", id}, {"delete", id},
	} {
		cmd := exec.CommandContext(j.bench.ctx, program, append([]string{"--root", state}, args...)...)
		// A file: a pipe would stay open as long as the container.
		cmd.Stdout, cmd.Stderr = output, output
		began := time.Now()
		if err := cmd.Run(); err != nil {
			said, _ := os.ReadFile(output.Name())
			return nil, fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, said)
		}
		took := milliseconds(time.Since(began))[0]
		total, times = total+took, append(times, took)
		if args[0] == "start" {
			if err := j.awaitEnd(pidFile); err != nil {
				return nil, err
			}
		}
	}
	times[0] = total
	return times, nil
}

// awaitEnd waits until the process whose pid is in a file has ended and somebody
// has waited for it: init does, its parent having gone.
func (j *jails) awaitEnd(pidFile string) error {
	text, err := os.ReadFile(pidFile)
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return fmt.Errorf("%s: %w", pidFile, err)
	}
	return daemon.Poll(j.bench.ctx, daemon.Patience, func() error {
		_, err := kernel.ProcessByID(pid)
		if errors.Is(err, unix.ESRCH) {
			return nil
		}
		return errors.Join(fmt.Errorf("process %d has not ended", pid), err)
	})
}
