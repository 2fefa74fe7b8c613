package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"jailshim/test/image"
)

const (
	imageName = "demo.test/small:1"
	container = "web"
)

// run shows everything, in order.
func (s *show) run(bin string) error {
	began := time.Now()
	for _, step := range []func() error{
		s.startContainerd,
		func() error { return s.importImage(bin) },
		s.runOnce,
		s.detach,
		s.look,
		s.exec,
		s.terminal,
		s.metrics,
		s.killContainerd,
		s.attach,
		s.remove,
		s.count,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	s.note("took %v", time.Since(began).Round(100*time.Millisecond))
	return nil
}

func (s *show) startContainerd() error {
	d := s.daemon
	s.say("A containerd of our own, in a temporary folder. The runtime is %s.", s.runtime)
	s.typed([]string{"cd", d.Dir}, "")
	s.export("CONTAINERD_ADDRESS", d.Address)
	s.export("CONTAINERD_NAMESPACE", d.Name())
	// Else ctr complains about cgroup version 1 at each command, on such a host.
	s.export("CONTAINERD_SUPPRESS_DEPRECATION_WARNINGS", "1")
	s.typed([]string{"containerd", "--config", d.Config()}, " &")
	if err := d.Start(s.ctx); err != nil {
		return err
	}
	_, err := s.ctr(0, "version")
	return err
}

// importImage makes the image and gives it to containerd.
func (s *show) importImage(bin string) (retErr error) {
	var why, err error
	if s.image, why, err = newContent(bin); err != nil {
		return err
	}
	if why != nil {
		s.say("An image with our own test program, because the host's programs can't be used (%v).", why)
	} else {
		s.say("An image of %s, taken from the host. No registry.", s.image.what)
	}
	name := s.file("image.tar")
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	platform := ocispec.Platform{OS: runtime.GOOS, Architecture: runtime.GOARCH}
	if err := errors.Join(image.Write(f, imageName, platform, s.image.files...), f.Close()); err != nil {
		return err
	}
	snapshotter, err := s.daemon.Snapshotter(s.ctx)
	if err != nil {
		return err
	}
	s.export("CONTAINERD_SNAPSHOTTER", snapshotter)
	_, err = s.ctr(0, "image", "import", name)
	return err
}

// fifos is the folder for the containers' streams: ctr's own choice is outside
// the daemon's folder.
func (s *show) fifos() string { return s.file("fifo") }

func (s *show) runOnce() error {
	s.say("Run a container: its output, and its exit status.")
	_, err := s.ctr(42, append([]string{"run", "--rm", "--fifo-dir", s.fifos(), "--runtime", s.runtime, imageName, "hello"}, s.image.hello...)...)
	return err
}

func (s *show) detach() error {
	s.say("A container that runs on by itself.")
	_, err := s.ctr(0, append([]string{"run", "--detach", "--fifo-dir", s.fifos(), "--runtime", s.runtime, imageName, container}, s.image.service...)...)
	if err != nil {
		return err
	}
	_, err = s.taskPid()
	return err
}

// look shows what the container is for the kernel.
func (s *show) look() error {
	if s.image.look == nil {
		return nil
	}
	name, args := s.image.look[0], s.image.look[1:]
	program, err := exec.LookPath(name)
	if err != nil {
		return nil //nolint:nilerr // a host without the command has the container all the same
	}
	s.say("To the kernel it is a jail.")
	c := s.command(name, program, args)
	if err := c.start(""); err != nil {
		return err
	}
	if err := c.wait(0); err != nil {
		return err
	}
	if !strings.Contains(c.output.String(), s.daemon.Name()) {
		return fmt.Errorf("%s does not show the container %q", name, container)
	}
	return nil
}

// taskPid lists the tasks and returns the pid of our container's, which must be
// running.
func (s *show) taskPid() (int, error) {
	list, err := s.ctr(0, "task", "ls")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(list) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == container && f[2] == "RUNNING" {
			return strconv.Atoi(f[1])
		}
	}
	return 0, fmt.Errorf("task %q is not running", container)
}

func (s *show) exec() error {
	s.say("Another process in it.")
	_, err := s.ctr(0, append([]string{"task", "exec", "--fifo-dir", s.fifos(), "--exec-id", "e1", container}, s.image.exec...)...)
	return err
}

func (s *show) metrics() error {
	s.say("What it uses.")
	_, err := s.ctr(0, "task", "metrics", container)
	return err
}

func (s *show) killContainerd() error {
	d := s.daemon
	pid, err := s.taskPid()
	if err != nil {
		return err
	}
	s.say("containerd crashes.")
	s.typed([]string{"kill", "-9", strconv.Itoa(d.Pid())}, "")
	if err := d.End(unix.SIGKILL); err != nil {
		return err
	}
	if err := unix.Kill(pid, 0); err != nil {
		return fmt.Errorf("process %d of container %q after containerd was killed: %w", pid, container, err)
	}
	s.note("containerd is gone; process %d of %q runs on", pid, container)
	s.sleep(2)

	s.say("containerd comes back, and finds its container.")
	s.typed([]string{"containerd", "--config", d.Config()}, " &")
	if err := d.Start(s.ctx); err != nil {
		return err
	}
	again, err := s.taskPid()
	if err != nil {
		return err
	}
	if again != pid {
		return fmt.Errorf("process of container %q after the restart: pid %d, was %d", container, again, pid)
	}
	_, err = s.ctr(0, append([]string{"task", "exec", "--fifo-dir", s.fifos(), "--exec-id", "e2", container}, s.image.exec...)...)
	return err
}

func (s *show) attach() error {
	s.say("Attach to it: all that it has printed meanwhile is there. Then stop it.")
	c, err := s.start(" &", "task", "attach", container)
	if err != nil {
		return err
	}
	s.sleep(2)
	if _, err := s.ctr(0, "task", "kill", "--signal", "SIGTERM", container); err != nil {
		return errors.Join(err, c.wait(s.image.status))
	}
	return c.wait(s.image.status)
}

func (s *show) remove() error {
	s.say("Remove it.")
	for _, args := range [][]string{
		{"container", "rm", container},
		{"task", "ls"},
		{"container", "ls"},
	} {
		if _, err := s.ctr(0, args...); err != nil {
			return err
		}
	}
	s.typed([]string{"kill", strconv.Itoa(s.daemon.Pid())}, "")
	return s.daemon.End(unix.SIGTERM)
}

// count prints what is left over, when it no longer changes for the better.
func (s *show) count() error {
	s.say("What is left over now.")
	kinds, total, err := s.daemon.AwaitClean(s.ctx)
	if err != nil {
		return err
	}
	for _, k := range kinds {
		s.note("%-18s %d", k.Many, len(k.Found))
		for _, f := range k.Found {
			s.note("    %s", f)
		}
	}
	fmt.Fprintf(s.out, "\nleftovers: %d\n", total)
	if total > 0 {
		return fmt.Errorf("%d things are left over", total)
	}
	return nil
}
