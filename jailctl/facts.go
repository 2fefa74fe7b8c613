package jailctl

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"sync"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"jailshim/jailctl/kernel"
	"jailshim/jailctl/plan"
)

// machine is what is known of the machine, as far as it was asked for: of some
// seventy parameters that a kernel has, a container sets a few.
type machine struct {
	mu     sync.Mutex // guards the fields below
	params map[string]kernel.ParamInfo
	self   ProcessID // this process; zero: not asked for yet
	boot   string    // id of the boot, if self is set
}

// whoAmI returns what tells this process from all others, and the id of the boot.
func (m *machine) whoAmI() (self ProcessID, boot string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.self == (ProcessID{}) {
		if m.boot, err = kernel.BootID(); err != nil {
			return self, "", err
		}
		if m.self, _, err = identify(os.Getpid()); err != nil {
			return self, "", err
		}
	}
	return m.self, m.boot, nil
}

// plan plans a container whose root is at a path of the host; without one, for FreeBSD's
// programs unless the spec says that they are Linux's.
func (m *machine) plan(spec *specs.Spec, c plan.Config, root string) (*plan.Plan, error) {
	params := &question{machine: m}
	f, err := m.facts(root)
	if err != nil {
		return nil, err
	}
	f.Params = params
	c.Facts = f
	p, err := plan.New(spec, c)
	if params.err != nil {
		return nil, params.err
	}
	return p, err
}

// facts are those without the parameters.
func (m *machine) facts(root string) (plan.Facts, error) {
	release, err := kernel.Osreldate()
	f := plan.Facts{Release: release, Racct: kernel.RacctEnabled(), Jail: parentJail}
	if root != "" {
		f.Linux = func(program string) bool { return linuxProgram(root, program) }
	}
	return f, err
}

// parentJail looks at a jail that is to have children; false if it isn't there.
func parentJail(name string) (_ plan.Parent, there bool) {
	j, err := kernel.OpenJail(name)
	if err != nil {
		return plan.Parent{}, false
	}
	values, err := j.Get("enforce_statfs", "vnet", "allow.chflags", "allow.raw_sockets")
	if err := errors.Join(err, j.Close()); err != nil {
		return plan.Parent{}, false
	}
	number := func(param string) int32 {
		n, err := kernel.DecodeInt(values[param])
		if err != nil {
			return 0
		}
		return n
	}
	return plan.Parent{
		Statfs:     int(number("enforce_statfs")),
		VNET:       number("vnet") == kernel.New,
		Chflags:    number("allow.chflags") != 0,
		RawSockets: number("allow.raw_sockets") != 0,
	}, true
}

// question is the parameters as one plan asks for them.
type question struct {
	machine *machine
	err     error // the kernel did not answer
}

// Param implements plan.Params. What the kernel does not know is asked for again
// the next time, since it may come with a module.
func (q *question) Param(name string) (kernel.ParamInfo, bool) {
	q.machine.mu.Lock()
	defer q.machine.mu.Unlock()
	info, ok := q.machine.params[name]
	if ok {
		return info, true
	}
	info, err := kernel.LookupParam(name)
	if err == nil {
		q.machine.params[name] = info
	} else if !errors.Is(err, errMissing) {
		q.err = fmt.Errorf("jail parameter %q: %w", name, err)
	}
	return info, err == nil
}

// All implements plan.Params.
func (q *question) All() map[string]kernel.ParamInfo {
	all, err := kernel.Params()
	if err != nil {
		q.err = err
	}
	q.machine.mu.Lock()
	defer q.machine.mu.Unlock()
	maps.Copy(q.machine.params, all)
	return all
}
