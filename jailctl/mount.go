package jailctl

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

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
		if err := mountFolder(&planned, root); err != nil {
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
		at, err := target(&mounts[i], k.base)
		if err != nil {
			return fmt.Errorf("%s: %w", mounts[i].From, err)
		}
		at.Close()
	}
	if cwd := k.plan.Process.Cwd; !on(cwd, mounts) {
		if err := makeFolder(k.base, cwd); err != nil {
			return err
		}
	}
	if err := os.Mkdir(k.state.Root, 0o711); err != nil {
		return err
	}
	view := plan.Mount{Type: "nullfs", Source: k.base, Target: "/", Flags: kernel.MountReadOnly}
	return mountFolder(&view, k.state.Root)
}

// mountFolder makes a mount on a folder that is there.
func mountFolder(m *plan.Mount, root string) error {
	at, err := find(root, m.Target, 0)
	if err != nil {
		return err
	}
	defer at.Close()
	return mountOne(m, at)
}

// makeFolder makes a folder of the container, unless something is there: changing to it
// will tell what.
func makeFolder(root, path string) error {
	at, err := find(root, path, makeFolders)
	if errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("working folder: %w", err)
	}
	at.Close()
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
	at, err := target(m, k.state.Root)
	if err != nil {
		return err
	}
	defer at.Close()
	if m.CopyUp {
		return copyUp(at, func() error { return mountOne(m, at) })
	}
	if err := mountOne(m, at); err != nil {
		return err
	}
	if m.Type == "devfs" && m.Target == "/dev" {
		return k.allowDevices(at)
	}
	return nil
}

// target finds the place of a mount inside root, and makes it if it isn't there.
func target(m *plan.Mount, root string) (*spot, error) {
	if m.Type == "nullfs" {
		var st unix.Stat_t
		if err := named("stat", m.Source, func() error { return unix.Stat(m.Source, &st) }); err != nil {
			return nil, fmt.Errorf("source of %s: %w: %w", m.Target, errdefs.ErrInvalidArgument, err)
		}
		switch kind := kindOf(&st); kind {
		case unix.S_IFREG:
			return targetFile(m, root)
		case unix.S_IFDIR:
		default:
			return nil, fmt.Errorf("source of %s: %s is a %s, and only folders and files can be mounted; mount its folder: %w",
				m.Target, m.Source, kindName(kind), errdefs.ErrInvalidArgument)
		}
	}
	at, err := find(root, m.Target, makeFolders)
	if err != nil {
		return nil, fmt.Errorf("target %s: %w", m.Target, err)
	}
	return at, nil
}

// targetFile is target for the mount of a file.
func targetFile(m *plan.Mount, root string) (*spot, error) {
	at, err := find(root, m.Target, makeFolders|orFile)
	if err == nil {
		if err = at.placeholder(); err == nil {
			return at, nil
		}
		at.Close()
	}
	return nil, fmt.Errorf("target %s: %w", m.Target, err)
}

// placeholder makes sure that there is a file to mount a file upon. The kernel
// wants one that has no other name.
func (s *spot) placeholder() error {
	if s.name == "" {
		return fmt.Errorf("it is a folder, and a file is to be mounted there: %w", errdefs.ErrInvalidArgument)
	}
	st, err := s.dir.lstat(s.name)
	if errors.Is(err, fs.ErrNotExist) {
		f, err := s.dir.file(s.name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		return f.Close()
	}
	if err != nil {
		return err
	}
	if kind := kindOf(&st); kind != unix.S_IFREG {
		return fmt.Errorf("it is a %s, and a file is to be mounted there: %w", kindName(kind), errdefs.ErrInvalidArgument)
	}
	if st.Nlink == 1 {
		return nil
	}
	return s.breakLink()
}

// breakLink gives a file that has several names a copy of its own under this one.
func (s *spot) breakLink() error {
	f, err := s.openFile()
	if err != nil {
		return err
	}
	defer f.Close()
	// The name is the same each time, so that what somebody who was killed has left goes.
	tmp := ".jailshim-" + s.name[:min(len(s.name), 200)]
	if err := s.dir.remove(tmp); err != nil {
		return err
	}
	if err := copyFile(s.dir, tmp, f); err != nil {
		return err
	}
	if err := s.dir.rename(tmp, s.name); err != nil {
		return errors.Join(err, s.dir.remove(tmp))
	}
	return nil
}

// kindOf returns the type of a file, a constant S_IF….
func kindOf(st *unix.Stat_t) int { return int(st.Mode) & unix.S_IFMT }

func kindName(kind int) string {
	switch kind {
	case unix.S_IFDIR:
		return "folder"
	case unix.S_IFREG:
		return "file"
	case unix.S_IFSOCK:
		return "socket"
	case unix.S_IFIFO:
		return "fifo"
	case unix.S_IFLNK:
		return "link"
	}
	return "device"
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

// mountOne makes a mount, and makes sure that it is where it should be: the kernel takes
// a path and follows links, and somebody may have put one there since it was looked up.
func mountOne(m *plan.Mount, at *spot) error {
	options := m.Options
	if hasSource(m) {
		options = append([]kernel.MountOption{{Name: "from", Value: m.Source, HasValue: true}}, options...)
	}
	was, err := at.mount()
	if err != nil {
		return fmt.Errorf("mount %s on %s: %w: %w", m.Type, at.path, errChanged, err)
	}
	var before []kernel.MountInfo
	if at.shared {
		// A child process that mounts costs as much as the start of a container's own,
		// and isn't worth it where only somebody with the host's rights changes names.
		before, err = at.mountThere(m, options)
	} else {
		err = kernel.Mount(m.Type, at.path, options, m.Flags)
	}
	if err == nil {
		err = at.check(m, was.ID, before)
	}
	if err != nil {
		return fmt.Errorf("mount %s on %s: %w", m.Type, at.path, err)
	}
	return nil
}

// mountThere mounts on the place itself, whatever has become of its path. It returns all
// mounts that were there before.
func (s *spot) mountThere(m *plan.Mount, options []kernel.MountOption) ([]kernel.MountInfo, error) {
	dir, err := s.dir.file(".", unix.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	before, err := kernel.Mounts()
	if err != nil {
		return nil, err
	}
	return before, kernel.MountAt(m.Type, dir, cmp.Or(s.name, "."), options, m.Flags)
}

func hasSource(m *plan.Mount) bool {
	return m.Type == "nullfs" || m.Type == "zfs" || m.Type == "unionfs"
}

// check makes sure that a mount that was just made is at the place, where another one
// showed. If it isn't, it is unmounted: that one alone, and nothing that shows at the
// place instead. It can only be told from the others if those before are given.
func (s *spot) check(m *plan.Mount, was kernel.FSID, before []kernel.MountInfo) error {
	isNew := func(id kernel.FSID) bool {
		return id != was && !slices.ContainsFunc(before, func(b kernel.MountInfo) bool { return b.ID == id })
	}
	got, err := s.mount()
	switch {
	case err == nil && isNew(got.ID) && got.On == s.path:
		return nil
	case before == nil:
		return fmt.Errorf("%w: it came to lie somewhere else; look for it and unmount it", errChanged)
	case err == nil && isNew(got.ID):
		return errors.Join(s.strayed(&got), kernel.UnmountID(got.ID, true))
	}
	after, err := kernel.Mounts()
	if err != nil {
		return err
	}
	var stray []kernel.MountInfo
	var on []string
	for _, a := range after {
		if isNew(a.ID) && a.Type == m.Type && (!hasSource(m) || strings.HasSuffix(a.From, m.Source)) {
			stray, on = append(stray, a), append(on, a.On)
		}
	}
	if len(stray) == 1 {
		return errors.Join(s.strayed(&stray[0]), kernel.UnmountID(stray[0].ID, true))
	}
	// Others mount, too: better one too many than one of theirs less.
	return fmt.Errorf("%w: it may be one of those that are new on %q; look for it and unmount it", errChanged, on)
}

// mount returns the mount that shows at the place.
func (s *spot) mount() (kernel.MountInfo, error) {
	// A folder's own dot leads onto what was mounted on it since it was opened.
	fd, err := openAt(int(s.dir), cmp.Or(s.name, "."), unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return kernel.MountInfo{}, err
	}
	defer unix.Close(fd)
	return kernel.MountOfFile(fd)
}

var errChanged = fmt.Errorf("names on its path were changed meanwhile: %w", errdefs.ErrFailedPrecondition)

func (s *spot) strayed(m *kernel.MountInfo) error {
	return fmt.Errorf("%w: it came to lie on %s", errChanged, m.On)
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

// allowDevices makes the plan's devices appear in the container's own /dev, which was
// mounted at a place. A path to it could lead to the host's by now.
func (k *Container) allowDevices(at *spot) error {
	rules := k.plan.DevRules()
	if len(rules)+len(k.plan.Devices) == 0 {
		return nil
	}
	dev, err := at.dir.file(".", unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer dev.Close()
	for _, r := range rules {
		if err := kernel.ApplyDevRule(dev, r); err != nil {
			return fmt.Errorf("device %s: %w", r.Pattern, err)
		}
	}
	// A rule for a device that the machine hasn't got is no error to the kernel.
	for _, d := range k.plan.Devices {
		if err := deviceThere(folder(dev.Fd()), d.Path); err != nil {
			return fmt.Errorf("device %s: the machine has none (its module may not be loaded): %w: %w", d.Path, errdefs.ErrFailedPrecondition, err)
		}
	}
	return nil
}

// deviceThere looks for a device, by its path below dev, whose folders are no links.
func deviceThere(dev folder, path string) error {
	dir, name := filepath.Split(path)
	in, err := dev.below(dir)
	if err != nil {
		return err
	}
	defer in.Close()
	_, err = in.lstat(name)
	return err
}
