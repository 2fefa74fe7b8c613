package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/containerd/v2/core/mount"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"jailshim/driver"
	"jailshim/jailctl/kernel"
	"jailshim/jailctl/plan"
)

// served makes a container through the task service of a shim that is there.
func (j *jails) served(ctx context.Context, id, bundle string, c *clock) error {
	if err := j.create(ctx, id, bundle); err != nil {
		return err
	}
	if _, err := j.tasks.Start(ctx, &task.StartRequest{ID: id}); err != nil {
		return err
	}
	c.runs = time.Now()
	exit, err := j.tasks.Wait(ctx, &task.WaitRequest{ID: id})
	if err != nil {
		return err
	}
	c.ended = time.Now()
	if exit.ExitStatus != 0 {
		return fmt.Errorf("exit status %d", exit.ExitStatus)
	}
	_, err = j.tasks.Delete(ctx, &task.DeleteRequest{ID: id})
	c.removed = time.Now()
	return err
}

func (j *jails) create(ctx context.Context, id, bundle string) error {
	_, err := j.tasks.Create(ctx, &task.CreateTaskRequest{ID: id, Bundle: bundle, Rootfs: mount.ToProto(j.root)})
	return err
}

// driven makes a container through the driver that the shim has, in this process.
func (j *jails) driven(ctx context.Context, id, bundle string, c *clock) error {
	config := &driver.CreateConfig{ID: id, Bundle: bundle}
	for _, m := range j.root {
		config.Rootfs = append(config.Rootfs, driver.Mount{Type: m.Type, Source: m.Source, Target: m.Target, Options: m.Options})
	}
	k, err := j.driver.Create(ctx, config)
	if err != nil {
		return err
	}
	if err := k.Start(ctx); err != nil {
		return err
	}
	c.runs = time.Now()
	if err := wait(k.Init().Pid); err != nil {
		return err
	}
	if err := k.Quiesce(ctx); err != nil {
		return err
	}
	c.ended = time.Now()
	err = k.Delete(ctx)
	c.removed = time.Now()
	return err
}

// wait waits for a child, which must end with status 0.
func wait(pid int) error {
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(pid, &status, 0, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err == nil && status != 0 {
			err = fmt.Errorf("process %d: wait status %#x", pid, int(status))
		}
		return err
	}
}

// direct asks the kernel for the same that the others ask it for, and decides
// nothing: what has to be worked out is, before the clock runs. The attributes of
// the process that a fork in Go can't set are missing, each of which is one call
// that takes no time.
func (j *jails) direct(_ context.Context, id, bundle string, c *clock) (retErr error) {
	p, err := plan.New(j.spec, plan.Config{Namespace: j.bench.daemon.Name(), ID: id, Bundle: bundle, Facts: j.facts})
	if err != nil {
		return err
	}
	root := filepath.Join(bundle, "rootfs")
	mounts, err := j.mounts(p, root)
	if err != nil {
		return err
	}
	params := append([]kernel.Param{kernel.String("path", root)}, p.Params...)
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	process := &os.ProcAttr{Dir: p.Process.Cwd, Env: p.Process.Env, Files: []*os.File{null, null, null}, Sys: &syscall.SysProcAttr{Setsid: true}}

	c.began = time.Now()
	for _, m := range mounts {
		if err := m.make(); err != nil {
			return err
		}
	}
	jail, err := kernel.CreateJail(params)
	if err != nil {
		return err
	}
	process.Sys.Jail = jail.ID
	child, err := os.StartProcess(trueProgram, p.Process.Args, process)
	if err != nil {
		return errors.Join(err, jail.Remove(), jail.Close())
	}
	c.runs = time.Now()
	state, err := child.Wait()
	if err != nil {
		return err
	}
	c.ended = time.Now()
	if !state.Success() {
		return errors.New(state.String())
	}
	if err := errors.Join(jail.Remove(), jail.Close()); err != nil {
		return err
	}
	for _, m := range slices.Backward(mounts) {
		if err := unmount(m.target); err != nil {
			return err
		}
	}
	c.removed = time.Now()
	return nil
}

// fileSystem is one to mount, all worked out.
type fileSystem struct {
	plan.Mount
	target string // on the host
}

// mounts returns what is mounted for a container: its root and what its spec
// says. The image is ours and has no links that would lead elsewhere.
func (j *jails) mounts(p *plan.Plan, root string) ([]fileSystem, error) {
	var all []fileSystem
	for _, m := range j.root {
		planned, err := plan.NewMount(specs.Mount{Type: m.Type, Source: m.Source, Destination: "/" + m.Target, Options: m.Options})
		if err != nil {
			return nil, err
		}
		all = append(all, fileSystem{planned, filepath.Join(root, planned.Target)})
	}
	for _, m := range p.Mounts {
		all = append(all, fileSystem{m, filepath.Join(root, m.Target)})
	}
	for i, m := range all {
		if m.Type == "nullfs" {
			from := kernel.MountOption{Name: "from", Value: m.Source, HasValue: true}
			all[i].Options = append([]kernel.MountOption{from}, m.Options...)
		}
	}
	return all, nil
}

func (m *fileSystem) make() error {
	if m.Type == "devfs" {
		if ok, err := kernel.RulesetExists("/dev", m.Ruleset); err != nil || !ok {
			return errors.Join(err, fmt.Errorf("devfs ruleset %d is needed", m.Ruleset))
		}
	}
	if err := os.MkdirAll(m.target, 0o755); err != nil {
		return err
	}
	return kernel.Mount(m.Type, m.target, m.Options, m.Flags)
}

// unmount unmounts a file system. The kernel lets go of a jail's root some time
// after the jail has been removed, and until then it is busy, for anybody.
func unmount(target string) error {
	const patience, pause = 10 * time.Second, 500 * time.Microsecond
	for end := time.Now().Add(patience); ; time.Sleep(pause) {
		err := kernel.Unmount(target, false)
		if !errors.Is(err, unix.EBUSY) || time.Now().After(end) {
			return err
		}
	}
}
