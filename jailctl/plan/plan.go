package plan

import (
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"jailshim/jailctl/kernel"
)

// Facts are what a plan depends on of the machine.
type Facts struct {
	// Params are the jail parameters that the kernel knows. Those of modules
	// that are not loaded are missing, and the plan names the modules. Nil: the
	// parameters of FreeBSD 15.1, to explain a plan on another system.
	Params Params
	// Release is kern.osreldate; 0 is unknown.
	Release int
	// Racct tells whether resource accounting is on (kern.racct.enable).
	Racct bool
	// Jail tells of a jail by its full name what its children can't have more of; false
	// if it isn't there. Nil: unknown.
	Jail func(name string) (Parent, bool)
	// Linux tells by its ELF brand whether a program, given by its path in the
	// container, is a Linux binary; false if it doesn't exist. Nil: unknown.
	Linux func(path string) bool
}

// Parent is what of a jail limits those in it.
type Parent struct {
	Statfs     int  // enforce_statfs
	VNET       bool // it has a network stack of its own
	Chflags    bool // allow.chflags
	RawSockets bool // allow.raw_sockets
}

// Config says for which container the plan is.
type Config struct {
	Namespace string // containerd's; empty under the OCI command
	ID        string // not empty
	Bundle    string // absolute path; relative paths of the spec start there
	Facts     Facts
	Extra     Extra // of [Decode]; zero if the spec has no unknown keys
	// Linux says that the image's platform is Linux. False: the spec's mounts
	// and Facts.Linux tell.
	Linux bool
}

// Plan is everything that will be done for a container.
type Plan struct {
	Name        string         // the jail's full name, with "parent." before it if it has one
	Parent      string         // full name of the parent jail; empty: none
	Linux       bool           // its programs run through the linuxulator
	Modules     []string       // kernel modules to load first, in order
	Params      []kernel.Param // of jail_set, all but path: name, persist, the others by name
	Root        Root
	Mounts      []Mount  // in order
	Devices     []Device // to appear in the /dev mount, and nowhere else
	Process     Process
	Limits      Limits
	Network     Network
	Hooks       *specs.Hooks
	Annotations map[string]string
	// Ignored lists what the spec says and has no meaning for a jail, by path
	// ("linux.seccomp"). What is neither done nor listed here is an error.
	Ignored []string
}

// Root is the container's root file system.
type Root struct {
	Path     string // absolute path on the host
	Readonly bool
}

// Mount is a mount to make.
type Mount struct {
	Type    string               // file system: nullfs, tmpfs, devfs, …
	Source  string               // nullfs, unionfs: absolute path on the host; zfs: the dataset; others: no meaning
	Target  string               // absolute, clean path in the container; its links are not resolved
	Options []kernel.MountOption // all but fstype, fspath and from, which is the Source
	Flags   int                  // kernel.Mount… bits
	File    bool                 // nullfs of a file; set when the source is looked at
	Ruleset int                  // devfs: the ruleset, which must exist; it is in Options too
	CopyUp  bool                 // tmpfs: starts with what the image has at the target
	// DevRules are patterns of nodes, relative to a devfs mount, to unhide in it
	// so that what lies below them can be reached; [Plan.DevRules] has them too.
	DevRules []string
	// From says what made the mount: "mounts[3]", "Linux containers have /dev/shm".
	From string
}

// Device is a device node that the container gets to see.
type Device struct {
	Path string  // relative to /dev
	Mode *uint32 // permissions; nil: unchanged
}

// Process is a process to start.
type Process struct {
	Args, Env  []string
	Cwd        string // absolute path in the container
	Terminal   bool
	Rows, Cols uint16 // of the terminal; 0: the caller's choice
	UID, GID   int
	Groups     []int   // supplementary, without GID
	Umask      *uint32 // nil: the default
	Rlimits    []Rlimit
	NoNewPrivs bool
	LoginClass string // empty: unchanged
}

// Rlimit is a resource limit of a process. ^uint64(0) is no limit.
type Rlimit struct {
	Name       string // RLIMIT_NOFILE, …
	Resource   int    // its number
	Soft, Hard uint64
}

// New plans a container.
//
// Errors wrap errdefs.ErrInvalidArgument and name the field or annotation; a
// limit that needs resource accounting where it is off wraps
// errdefs.ErrFailedPrecondition. The spec is not changed; the plan shares its
// hooks.
func New(spec *specs.Spec, c Config) (*Plan, error) {
	b := &builder{spec: spec, config: c, params: newParams(c.Facts)}
	// Fields that can't be done are refused before anything is worked out: their
	// names help more than what follows from them.
	ignored, err := b.check()
	if err != nil {
		return nil, err
	}
	b.plan.Ignored = ignored
	for _, step := range []func() error{
		b.root, b.process, b.hooks, b.detectLinux, b.settings, b.network,
		b.mounts, b.devices, b.defaults, b.place, b.limits, b.finish,
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return &b.plan, nil
}

// builder carries a plan through its steps.
type builder struct {
	spec   *specs.Spec
	config Config
	params *params
	plan   Plan
}

func (b *builder) check() ([]string, error) {
	if b.spec == nil {
		return nil, invalid("spec", "missing")
	}
	if b.config.ID == "" {
		return nil, invalid("id", "a container needs one")
	}
	if v := b.spec.Version; v != "" && !strings.HasPrefix(v, "1.") {
		return nil, invalid("ociVersion", "%q: versions 1.x of the runtime specification are understood", v)
	}
	return checkFields(b.spec)
}

func (b *builder) root() error {
	r := b.spec.Root
	if r == nil || r.Path == "" {
		return invalid("root.path", "missing")
	}
	if strings.ContainsRune(r.Path, 0) {
		return invalid("root.path", "%q: holds a NUL byte", r.Path)
	}
	path := b.fromBundle(r.Path)
	if !filepath.IsAbs(path) {
		return invalid("root.path", "%q: neither it nor the bundle %q is absolute", r.Path, b.config.Bundle)
	}
	b.plan.Root = Root{Path: path, Readonly: r.Readonly}
	return nil
}

// fromBundle makes a host path of the spec absolute.
func (b *builder) fromBundle(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(b.config.Bundle, path)
}

func (b *builder) process() error {
	if b.spec.Process == nil {
		return invalid("process", "missing")
	}
	p, ignored, err := newProcess(b.spec.Process)
	if err != nil {
		return err
	}
	b.plan.Process = *p
	b.ignore(ignored...)
	return nil
}

func (b *builder) limits() error {
	if b.spec.Linux == nil || b.spec.Linux.Resources == nil {
		return nil
	}
	l, err := NewLimits(b.spec.Linux.Resources, b.config.Facts)
	if err != nil {
		return err
	}
	l.Remove = nil // a new jail has no limits yet
	b.plan.Limits = l
	return nil
}

// finish names the jail and encodes its parameters.
func (b *builder) finish() error {
	p := &b.plan
	p.Name = JailName(b.config.Namespace, b.config.ID)
	if p.Parent != "" {
		p.Name = p.Parent + "." + p.Name
	}
	if len(p.Name) > maxJailName {
		return invalid("id", "the jail's name %q is longer than %d bytes", p.Name, maxJailName)
	}
	rest, err := b.params.encode()
	if err != nil {
		return err
	}
	p.Params = append([]kernel.Param{kernel.String("name", p.Name), kernel.Bool("persist", true)}, rest...)
	for _, m := range b.params.modules() {
		b.module(m)
	}
	p.Annotations = maps.Clone(b.spec.Annotations)
	slices.Sort(p.Ignored)
	p.Ignored = slices.Compact(p.Ignored)
	return nil
}

func (b *builder) ignore(what ...string) { b.plan.Ignored = append(b.plan.Ignored, what...) }

func (b *builder) module(name string) {
	if !slices.Contains(b.plan.Modules, name) {
		b.plan.Modules = append(b.plan.Modules, name)
	}
}

// parseAddrs reads addresses of one family, separated by commas; empty ones are
// skipped, as ocijail does.
func parseAddrs(text string, v4 bool) ([]netip.Addr, error) {
	var out []netip.Addr
	for s := range strings.SplitSeq(text, ",") {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		a, err := netip.ParseAddr(s)
		switch {
		case err != nil || a.Is4() != v4 || a.Zone() != "" || a.Is4In6():
			return nil, fmt.Errorf("%q is no %s address", s, family(v4))
		case a.IsUnspecified() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
			return nil, fmt.Errorf("%s is no address of a host", s)
		case slices.Contains(out, a):
			return nil, fmt.Errorf("%s is there twice", s)
		}
		out = append(out, a)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no %s address", family(v4))
	}
	if len(out) > maxAddrs {
		return nil, fmt.Errorf("%d addresses, and a jail has at most %d of a family", len(out), maxAddrs)
	}
	return out, nil
}

func family(v4 bool) string {
	if v4 {
		return "IPv4"
	}
	return "IPv6"
}
