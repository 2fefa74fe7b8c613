package plan

import (
	"fmt"
	"math"
	"path"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"jailshim/jailctl/kernel"
)

// maxGroups is NGROUPS_MAX.
const maxGroups = 1023

// NewProcess plans a further process in a container. What is ignored in it is
// not reported: the container's own process told. base is the container's plan,
// and may be nil.
func NewProcess(p *specs.Process, base *Plan) (*Process, error) {
	if p == nil {
		return nil, invalid("process", "missing")
	}
	if _, err := checkProcess(p); err != nil {
		return nil, err
	}
	planned, _, err := newProcess(p)
	if err == nil && planned.Umask == nil && base != nil {
		planned.Umask = base.Process.Umask
	}
	return planned, err
}

// newProcess translates a process, and says what of it is ignored.
func newProcess(p *specs.Process) (*Process, []string, error) {
	out := &Process{
		Args: p.Args, Env: Env(p.Env), Cwd: path.Clean(p.Cwd),
		Terminal: p.Terminal, NoNewPrivs: p.NoNewPrivileges,
	}
	if err := checkStrings(p); err != nil {
		return nil, nil, err
	}
	if p.Terminal && p.ConsoleSize != nil {
		if p.ConsoleSize.Height > math.MaxUint16 || p.ConsoleSize.Width > math.MaxUint16 {
			return nil, nil, invalid("process.consoleSize", "%d x %d: a terminal has at most %d rows and columns",
				p.ConsoleSize.Height, p.ConsoleSize.Width, math.MaxUint16)
		}
		out.Rows, out.Cols = uint16(p.ConsoleSize.Height), uint16(p.ConsoleSize.Width)
	}
	if err := out.user(&p.User); err != nil {
		return nil, nil, err
	}
	ignored, err := out.rlimits(p.Rlimits)
	return out, ignored, err
}

// Env returns an environment with more settings. Of each name the last one counts, and
// is alone in what is returned: clients append what is to replace a setting, and
// getenv(3) finds the first.
func Env(env []string, more ...string) []string {
	all := slices.Concat(env, more)
	last := make(map[string]int, len(all))
	name := func(setting string) string { n, _, _ := strings.Cut(setting, "="); return n }
	for i, setting := range all {
		last[name(setting)] = i
	}
	var out []string
	for i, setting := range all {
		if last[name(setting)] == i {
			out = append(out, setting)
		}
	}
	return out
}

func checkStrings(p *specs.Process) error {
	switch {
	case len(p.Args) == 0 || p.Args[0] == "":
		return invalid("process.args", "missing")
	case !path.IsAbs(p.Cwd) || strings.ContainsRune(p.Cwd, 0):
		return invalid("process.cwd", "%q is no absolute path", p.Cwd)
	}
	for i, a := range p.Args {
		if strings.ContainsRune(a, 0) {
			return invalid(fmt.Sprintf("process.args[%d]", i), "%q: holds a NUL byte", a)
		}
	}
	return checkEnv("process.env", p.Env)
}

// checkEnv refuses what is no environment. The error has the name at most: a
// value may be a secret.
func checkEnv(field string, env []string) error {
	for i, e := range env {
		name, _, ok := strings.Cut(e, "=")
		switch {
		case !ok || name == "":
			return invalid(fmt.Sprintf("%s[%d]", field, i), "NAME=VALUE is allowed")
		case strings.ContainsRune(e, 0):
			return invalid(fmt.Sprintf("%s[%d]", field, i), "%q: holds a NUL byte", name)
		}
	}
	return nil
}

func (out *Process) user(u *specs.User) error {
	// Numbers are what counts; a name alone would silently be root.
	if u.Username != "" && u.Username != "root" && u.UID == 0 && u.GID == 0 {
		return invalid("process.user.username", "%q: users are given by number here, in process.user.uid and gid", u.Username)
	}
	if u.UID == math.MaxUint32 || u.GID == math.MaxUint32 {
		return invalid("process.user", "%d is no number of a user or group", uint32(math.MaxUint32))
	}
	if u.Umask != nil && *u.Umask > permissions {
		return invalid("process.user.umask", "%#o: up to %#o is allowed", *u.Umask, permissions)
	}
	if len(u.AdditionalGids) > maxGroups {
		return invalid("process.user.additionalGids", "%d groups, and a process has at most %d", len(u.AdditionalGids), maxGroups)
	}
	out.UID, out.GID, out.Umask = int(u.UID), int(u.GID), u.Umask
	for _, g := range u.AdditionalGids {
		if g == math.MaxUint32 {
			return invalid("process.user.additionalGids", "%d is no number of a group", g)
		}
		// Clients repeat the main group, and the kernel would list it twice.
		if g != u.GID && !slices.Contains(out.Groups, int(g)) {
			out.Groups = append(out.Groups, int(g))
		}
	}
	return nil
}

func (out *Process) rlimits(limits []specs.POSIXRlimit) ([]string, error) {
	var ignored []string
	seen := make(map[int]string)
	for i, l := range limits {
		field := fmt.Sprintf("process.rlimits[%d]", i)
		if ignoredRlimits[l.Type] {
			ignored = append(ignored, "process.rlimits["+l.Type+"]")
			continue
		}
		n, ok := kernel.RlimitNumbers[l.Type]
		switch {
		case !ok:
			return nil, invalid(field, "there is no limit %q", l.Type)
		case seen[n] != "":
			return nil, invalid(field, "%s and %s are the same limit", seen[n], l.Type)
		case l.Soft > l.Hard:
			return nil, invalid(field, "%s: soft %d is more than hard %d", l.Type, l.Soft, l.Hard)
		}
		seen[n] = l.Type
		out.Rlimits = append(out.Rlimits, Rlimit{Name: l.Type, Resource: n, Soft: l.Soft, Hard: l.Hard})
	}
	return ignored, nil
}
