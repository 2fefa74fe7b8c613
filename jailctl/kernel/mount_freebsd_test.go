package kernel

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"jailshim/internal/need"
)

// mountTemp mounts on a folder of its own and unmounts it at the end of the test.
func mountTemp(t *testing.T, fstype string, flags int, options ...MountOption) string {
	t.Helper()
	need.Root(t)
	// The kernel names mounts by their path without symbolic links.
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := Mount(fstype, dir, options, flags); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if m, err := MountOf(dir); err == nil && m.On == dir {
			if err := Unmount(dir, true); err != nil {
				t.Error(err)
			}
		}
	})
	return dir
}

func option(name, value string) MountOption {
	return MountOption{Name: name, Value: value, HasValue: true}
}

func TestMount_Tmpfs(t *testing.T) {
	dir := mountTemp(t, "tmpfs", MountNoSUID|MountNoATime, option("size", "1m"), option("mode", "1777"))
	m, err := MountOf(dir)
	if err != nil || m.Type != "tmpfs" || m.On != dir || m.Flags&MountNoSUID == 0 || m.Flags&MountNoATime == 0 ||
		m.Flags&MountReadOnly != 0 || m.ID == (FSID{}) {
		t.Errorf("got %+v, %v", m, err)
	}
	mounts, err := Mounts()
	if err != nil || !slices.Contains(mounts, m) {
		t.Errorf("%+v is not among %+v, %v", m, mounts, err)
	}
	second := mountTemp(t, "tmpfs", 0, option("size", "1m"))
	mounts, err = Mounts()
	position := func(dir string) int {
		return slices.IndexFunc(mounts, func(m MountInfo) bool { return m.On == dir })
	}
	if err != nil || position(dir) < 0 || position(second) < position(dir) {
		t.Errorf("the oldest is not first: %+v, %v", mounts, err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode() != os.ModeDir|os.ModeSticky|0o777 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := Mount("tmpfs", dir, nil, MountUpdate|MountReadOnly); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "f"), nil, 0o600); !errors.Is(err, unix.EROFS) {
		t.Errorf("write after the update: %v, want EROFS", err)
	}
	if err := UnmountID(m.ID, false); err != nil {
		t.Error(err)
	}
	wantErrno(t, "second UnmountID", UnmountID(m.ID, false), unix.ENOENT)
	wantErrno(t, "Unmount of what is not mounted", Unmount(dir, false), unix.EINVAL)
}

func TestMount_Nullfs(t *testing.T) {
	need.Root(t)
	source := t.TempDir()
	if err := os.WriteFile(filepath.Join(source, "f"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := mountTemp(t, "nullfs", 0, option("from", source), MountOption{Name: "ro"})
	if b, err := os.ReadFile(filepath.Join(dir, "f")); err != nil || string(b) != "x" {
		t.Errorf("read %q, %v", b, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "f"), nil, 0o600); !errors.Is(err, unix.EROFS) {
		t.Errorf("write: %v, want EROFS", err)
	}
	wantErrno(t, "the same again", Mount("nullfs", dir, []MountOption{option("from", source)}, 0), unix.EDEADLK)
	f, err := os.Open(filepath.Join(dir, "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	wantErrno(t, "Unmount while in use", Unmount(dir, false), unix.EBUSY)
	if err := Unmount(dir, true); err != nil {
		t.Error(err)
	}
}

// What has become of the path does not matter: the folder is the one that is open.
func TestMountAt_PathIsALinkByThen_MountsOnTheOpenFolder(t *testing.T) {
	need.Root(t)
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	path, moved, other := filepath.Join(base, "a"), filepath.Join(base, "moved"), filepath.Join(base, "other")
	for _, dir := range []string{path, other} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	dir, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := errors.Join(os.Rename(path, moved), os.Symlink(other, path)); err != nil {
		t.Fatal(err)
	}
	if err := MountAt("tmpfs", dir, ".", []MountOption{option("size", "1m")}, MountReadOnly); err != nil {
		t.Fatal(err)
	}
	m, err := MountOf(moved)
	if err != nil {
		t.Fatal(err)
	}
	if m.On == moved {
		defer func() {
			if err := UnmountID(m.ID, true); err != nil {
				t.Error(err)
			}
		}()
	}
	if m.On != moved || m.Type != "tmpfs" || m.Flags&MountReadOnly == 0 {
		t.Errorf("got %+v", m)
	}
	if covered, err := MountOfFile(int(dir.Fd())); err != nil || covered.ID == m.ID {
		t.Errorf("the covered folder is on %+v, %v", covered, err)
	}
	// The folder's own dot leads onto what is mounted there.
	root, err := os.Open(moved + "/.")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if got, err := MountOfFile(int(root.Fd())); err != nil || got != m {
		t.Errorf("got %+v, %v, want %+v", got, err, m)
	}
}

func TestMountAt_Refused_KernelSaysWhy(t *testing.T) {
	need.Root(t)
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	err = MountAt("tmpfs", dir, ".", []MountOption{{Name: "noatime"}}, 0)
	wantErrno(t, "unknown option", err, unix.EINVAL)
	if e := new(Error); errors.As(err, &e) && e.Detail != "mount option <noatime> is unknown" {
		t.Errorf("the kernel says %q", e.Detail)
	}
	wantErrno(t, "missing name", MountAt("tmpfs", dir, "none", nil, 0), unix.ENOENT)
	wantErrno(t, "no name", MountAt("tmpfs", dir, "", nil, 0), unix.EINVAL)
	wantErrno(t, "a path", MountAt("tmpfs", dir, "../x", nil, 0), unix.EINVAL)
	if err := MountAt("tmpfs", dir, "x\x00", nil, 0); !errors.Is(err, unix.EINVAL) {
		t.Errorf("a name with a NUL: %v, want EINVAL", err)
	}
}

func BenchmarkMountAt(b *testing.B) {
	if os.Getuid() != 0 {
		b.Skip("needs root")
	}
	path := b.TempDir()
	dir, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer dir.Close()
	for _, at := range []bool{false, true} {
		b.Run(strconv.FormatBool(at), func(b *testing.B) {
			for b.Loop() {
				if at {
					err = MountAt("tmpfs", dir, ".", nil, 0)
				} else {
					err = Mount("tmpfs", path, nil, 0)
				}
				if err := errors.Join(err, Unmount(path, true)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestMount_Refused_KernelSaysWhy(t *testing.T) {
	need.Root(t)
	dir := t.TempDir()
	for name, c := range map[string]struct {
		fstype, target string
		options        []MountOption
		errno          unix.Errno
		detail         string
	}{
		"unknown option": {"tmpfs", dir, []MountOption{{Name: "noatime"}}, unix.EINVAL, "mount option <noatime> is unknown"},
		"unknown type":   {"jt-nosuchfs", dir, nil, unix.EINVAL, "Invalid fstype"},
		"missing target": {"tmpfs", dir + "/none", nil, unix.ENOENT, ""},
		"long type":      {"a-name-of-more-than-15-bytes", dir, nil, unix.ENAMETOOLONG, ""},
	} {
		err := Mount(c.fstype, c.target, c.options, 0)
		wantErrno(t, name, err, c.errno)
		var e *Error
		if errors.As(err, &e) && e.Detail != c.detail {
			t.Errorf("%s: the kernel says %q, want %q", name, e.Detail, c.detail)
		}
	}
	if err := Mount("tmpfs", dir+"\x00x", nil, 0); !errors.Is(err, unix.EINVAL) {
		t.Errorf("a target with a NUL: %v, want EINVAL", err)
	}
	wantErrno(t, "Unmount of a path with a NUL", Unmount(dir+"\x00x", false), unix.EINVAL)
	_, err := MountOf(dir + "/none")
	wantErrno(t, "MountOf", err, unix.ENOENT)
	mounts, err := Mounts()
	if err != nil || slices.ContainsFunc(mounts, func(m MountInfo) bool { return m.On == dir }) {
		t.Errorf("something is mounted on %s: %v, %v", dir, mounts, err)
	}
}

// testRuleset is a number that nobody else uses.
const testRuleset = 64321

func TestDevfs_Rules(t *testing.T) {
	need.Root(t)
	removeRules := func() {
		for _, number := range []int{100, 200, 300} {
			if err := RemoveDevRule("/dev", testRuleset, number); err != nil && !errors.Is(err, unix.ENOENT) {
				t.Error(err)
			}
		}
	}
	removeRules()
	if ok, err := RulesetExists("/dev", testRuleset); ok || err != nil {
		t.Fatalf("the ruleset exists: %v, %v", ok, err)
	}
	t.Cleanup(removeRules)
	rules := map[int]DevRule{
		100: {Hide: true},
		200: {Pattern: "null", Unhide: true, Mode: new(uint32(0o640)), UID: new(1001), GID: new(1002)},
	}
	for number, r := range rules {
		if err := AddDevRule("/dev", testRuleset, number, r); err != nil {
			t.Fatal(err)
		}
	}
	wantErrno(t, "the same number", AddDevRule("/dev", testRuleset, 100, rules[100]), unix.EEXIST)
	wantErrno(t, "a missing ruleset to include", AddDevRule("/dev", testRuleset, 300, DevRule{Include: testRuleset + 1}), unix.ESRCH)
	if ok, err := RulesetExists("/dev", testRuleset); !ok || err != nil {
		t.Errorf("the ruleset does not exist: %v, %v", ok, err)
	}
	numbers, err := Rulesets("/dev")
	if err != nil || !slices.Contains(numbers, testRuleset) || !slices.IsSorted(numbers) {
		t.Errorf("rulesets %v, %v", numbers, err)
	}
	wantRules(t, []int{100, 200})

	dir := mountTemp(t, "devfs", 0, option("ruleset", "64321"))
	wantNodes(t, dir, "null")
	var st unix.Stat_t
	if err := unix.Stat(dir+"/null", &st); err != nil || st.Mode&0o7777 != 0o640 || st.Uid != 1001 || st.Gid != 1002 {
		t.Errorf("null has mode %o, owner %d:%d, %v", st.Mode, st.Uid, st.Gid, err)
	}
	dev, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	if err := ApplyDevRule(dev, DevRule{Pattern: "zero", Unhide: true, Mode: new(uint32(0o600))}); err != nil {
		t.Fatal(err)
	}
	wantNodes(t, dir, "null", "zero")
	wantRules(t, []int{100, 200}) // it is stored nowhere
	wantNodes(t, mountTemp(t, "devfs", 0, option("ruleset", "64321")), "null")
}

// wantRules checks the numbers of the rules of testRuleset.
func wantRules(t *testing.T, want []int) {
	t.Helper()
	fd, err := openDevfs("/dev")
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	var got []int
	for number := 0; ; {
		if number, _, err = devfsNextRule("/dev", fd, testRuleset, number); err != nil {
			break
		}
		got = append(got, number)
	}
	if !errors.Is(err, unix.ENOENT) || !slices.Equal(got, want) {
		t.Errorf("rules %v, %v, want %v", got, err, want)
	}
}

// wantNodes checks which devices a devfs mount shows.
func wantNodes(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s shows %v, want %v", dir, got, want)
	}
}

func TestDevfs_Refused(t *testing.T) {
	need.Root(t)
	if ok, err := RulesetExists("/dev", 0); ok || !errors.Is(err, unix.EINVAL) {
		t.Errorf("ruleset 0: %v, %v, want EINVAL", ok, err)
	}
	_, err := RulesetExists("/nonexistent", 4)
	wantErrno(t, "a missing mount", err, unix.ENOENT)
	_, err = RulesetExists(t.TempDir(), 4)
	wantErrno(t, "a folder that is no devfs", err, unix.ENOTTY)
	dev, err := os.Open("/dev")
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	if err := ApplyDevRule(dev, DevRule{Pattern: "null"}); !errors.Is(err, unix.EINVAL) {
		t.Errorf("a rule that does nothing: %v, want EINVAL", err)
	}
	wantErrno(t, "RemoveDevRule", RemoveDevRule("/dev", testRuleset, 999), unix.ENOENT)
}
