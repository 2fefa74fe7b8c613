package jailctl

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/containerd/errdefs"
	securejoin "github.com/cyphar/filepath-securejoin"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"jailshim/driver"
	"jailshim/jailctl/kernel"
	"jailshim/jailctl/plan"
)

// mountRoot mounts a container's root as the snapshotter wants it.
func mountRoot(root string, mounts []driver.Mount) error {
	if len(mounts) == 0 {
		if fi, err := os.Stat(root); err != nil || !fi.IsDir() {
			return fmt.Errorf("root %s: not a folder: %w", root, errors.Join(errdefs.ErrInvalidArgument, err))
		}
		return nil
	}
	if err := os.MkdirAll(root, 0o711); err != nil {
		return err
	}
	for _, m := range mounts {
		planned, err := plan.NewMount(specs.Mount{Type: m.Type, Source: m.Source, Destination: "/" + m.Target, Options: m.Options})
		if err != nil {
			return fmt.Errorf("root file system: %w", err)
		}
		target, err := resolve(root, planned.Target)
		if err != nil {
			return err
		}
		if err := mountOne(&planned, target); err != nil {
			return fmt.Errorf("root file system: %w", err)
		}
	}
	return nil
}

// mountAll makes the plan's mounts, and the working folder, which may lie on one
// of them.
func (k *Container) mountAll() error {
	if k.plan.Root.Readonly {
		if err := k.mountReadonly(); err != nil {
			return err
		}
	}
	for i := range k.plan.Mounts {
		m := &k.plan.Mounts[i]
		if err := k.mount(m); err != nil {
			return fmt.Errorf("%s: %w", m.From, err)
		}
	}
	return makeFolder(k.state.Root, k.plan.Process.Cwd)
}

// mountReadonly makes the read-only view of the root. All folders and files that
// are to be mounted upon must be in the root before.
func (k *Container) mountReadonly() error {
	mounts := k.plan.Mounts
	for i := range mounts {
		if on(mounts[i].Target, mounts[:i]) {
			continue // it lies on another mount, which isn't there yet
		}
		if _, err := target(&mounts[i], k.base); err != nil {
			return fmt.Errorf("%s: %w", mounts[i].From, err)
		}
	}
	if cwd := k.plan.Process.Cwd; !on(cwd, mounts) {
		if err := makeFolder(k.base, cwd); err != nil {
			return err
		}
	}
	if err := os.Mkdir(k.state.Root, 0o711); err != nil {
		return err
	}
	view := plan.Mount{Type: "nullfs", Source: k.base, Flags: kernel.MountReadOnly}
	return mountOne(&view, k.state.Root)
}

// makeFolder makes a folder of the container, unless it is there.
func makeFolder(root, path string) error {
	dir, err := resolve(root, path)
	if err != nil {
		return err
	}
	if _, err := os.Stat(dir); err == nil {
		return nil // whatever it is: changing to it will tell
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("working folder %s: %w", path, err)
	}
	return nil
}

// on reports whether a path of the container lies on one of the mounts.
func on(path string, mounts []plan.Mount) bool {
	return slices.ContainsFunc(mounts, func(m plan.Mount) bool { return within(path, m.Target) })
}

// mount makes one mount of the plan. Its target is looked up only now: it may lie
// on a mount before it.
func (k *Container) mount(m *plan.Mount) error {
	if m.Type == "devfs" {
		if err := checkRuleset(m.Ruleset); err != nil {
			return err
		}
	}
	path, err := target(m, k.state.Root)
	if err != nil {
		return err
	}
	if m.CopyUp {
		return copyUp(path, func() error { return mountOne(m, path) })
	}
	if err := mountOne(m, path); err != nil {
		return err
	}
	if m.Type == "devfs" && m.Target == "/dev" {
		return k.allowDevices(path)
	}
	return nil
}

// target finds the place of a mount inside root, and makes it if it isn't there.
// No link leads out: each is followed as the container's processes would.
func target(m *plan.Mount, root string) (string, error) {
	path, err := resolve(root, m.Target)
	if err != nil {
		return "", err
	}
	if m.Type == "nullfs" {
		fi, err := os.Stat(m.Source)
		if err != nil {
			return "", fmt.Errorf("source of %s: %w: %w", m.Target, errdefs.ErrInvalidArgument, err)
		}
		switch mode := fi.Mode(); {
		case mode.IsRegular():
			return path, placeholder(m.Target, path)
		case !mode.IsDir():
			return "", fmt.Errorf("source of %s: %s is a %s, and only folders and files can be mounted; mount its folder: %w",
				m.Target, m.Source, kindOf(mode), errdefs.ErrInvalidArgument)
		}
	}
	if err := os.MkdirAll(path, 0o755); err != nil {
		return "", fmt.Errorf("target %s: %w", m.Target, err)
	}
	return path, nil
}

// placeholder makes sure that there is a file to mount a file upon. The kernel
// wants one that has no other name.
func placeholder(name, target string) error {
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return fmt.Errorf("target %s: %w", name, err)
	}
	fi, err := os.Lstat(target)
	if errors.Is(err, fs.ErrNotExist) {
		f, err := os.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err != nil {
			return fmt.Errorf("target %s: %w", name, err)
		}
		return f.Close()
	}
	if err != nil {
		return err
	}
	if !fi.Mode().IsRegular() {
		return fmt.Errorf("target %s: it is a %s, and a file is to be mounted there: %w", name, kindOf(fi.Mode()), errdefs.ErrInvalidArgument)
	}
	if links(fi) == 1 {
		return nil
	}
	return breakLink(target, fi)
}

// breakLink gives a file that has several names a copy of its own under this one.
func breakLink(target string, fi fs.FileInfo) error {
	b, err := os.ReadFile(target)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(target), ".jailshim-")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(b)
	err = errors.Join(err, tmp.Chmod(fi.Mode()), tmp.Close())
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), target)
}

func kindOf(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "folder"
	case m.IsRegular():
		return "file"
	case m&fs.ModeSocket != 0:
		return "socket"
	case m&fs.ModeNamedPipe != 0:
		return "fifo"
	case m&fs.ModeSymlink != 0:
		return "link"
	}
	return "device"
}

// resolve returns the host's path of a path in the container whose root is root,
// with all links followed inside. Components that do not exist stay as they are.
func resolve(root, path string) (string, error) {
	p, err := securejoin.SecureJoin(root, path)
	if err != nil {
		return "", fmt.Errorf("path %s in the root %s: %w", path, root, err)
	}
	return p, nil
}

// realPath resolves the links in a path as far as it exists.
func realPath(path string) string {
	if p, err := filepath.EvalSymlinks(path); err == nil {
		return p
	}
	dir, base := filepath.Split(filepath.Clean(path))
	if base == "" || dir == "" || filepath.Clean(dir) == filepath.Clean(path) {
		return path
	}
	return filepath.Join(realPath(filepath.Clean(dir)), base)
}

// mountOne makes a mount and makes sure that it is where it should be: the kernel
// follows links, and somebody may have put one there.
func mountOne(m *plan.Mount, target string) error {
	options := m.Options
	switch m.Type {
	case "nullfs", "zfs", "unionfs":
		options = append([]kernel.MountOption{{Name: "from", Value: m.Source, HasValue: true}}, options...)
	}
	if err := kernel.Mount(m.Type, target, options, m.Flags); err != nil {
		return fmt.Errorf("mount %s on %s: %w", m.Type, target, err)
	}
	info, err := kernel.MountOf(target)
	if err != nil {
		return err
	}
	if info.On != target {
		return errors.Join(fmt.Errorf("mount %s on %s: it came to lie on %s", m.Type, target, info.On),
			kernel.UnmountID(info.ID, true))
	}
	return nil
}

// checkRuleset refuses a devfs ruleset that isn't there: the kernel would make an
// empty one, which shows every device.
func checkRuleset(n int) error {
	if n == 0 {
		return nil
	}
	ok, err := kernel.RulesetExists("/dev", n)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("devfs ruleset %d does not exist, and the container would see every device (service devfs restart loads the default rules): %w",
			n, errdefs.ErrFailedPrecondition)
	}
	return nil
}

// allowDevices makes the plan's devices appear in the container's own /dev.
func (k *Container) allowDevices(dev string) error {
	for _, r := range k.plan.DevRules() {
		if err := kernel.ApplyDevRule(dev, r); err != nil {
			return fmt.Errorf("device %s: %w", r.Pattern, err)
		}
	}
	// A rule for a device that the machine hasn't got is no error to the kernel.
	for _, d := range k.plan.Devices {
		if _, err := os.Lstat(filepath.Join(dev, d.Path)); err != nil {
			return fmt.Errorf("device %s: the machine has none (its module may not be loaded): %w: %w", d.Path, errdefs.ErrFailedPrecondition, err)
		}
	}
	return nil
}
