package kernel

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"jailshim/internal/need"
)

// With accounting off the calls say so; with it on, rules come and go.
func TestRctl(t *testing.T) {
	need.Root(t)
	name := objectName()
	first := Rule{Jail: name, Resource: "maxproc", Action: "deny", Amount: 8}
	if !RacctEnabled() {
		wantErrno(t, "AddRule", AddRule(first), unix.ENOSYS)
		_, err := Rules(name)
		wantErrno(t, "Rules", err, unix.ENOSYS)
		_, err = Usage(name)
		wantErrno(t, "Usage", err, unix.ENOSYS)
		if err := errors.Join(RemoveRules(name), RemoveRule(name, "maxproc", "deny")); err != nil {
			t.Error(err)
		}
		return
	}
	t.Cleanup(func() {
		if err := RemoveRules(name); err != nil {
			t.Error(err)
		}
	})
	wantRules := func(want ...Rule) {
		t.Helper()
		got, err := Rules(name)
		byText := func(a, b Rule) int { return strings.Compare(a.String(), b.String()) }
		slices.SortFunc(got, byText)
		slices.SortFunc(want, byText)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
	wantRules()
	second := Rule{Jail: name, Resource: "memoryuse", Action: "sigkill", Amount: 1 << 26}
	third := Rule{Jail: name, Resource: "memoryuse", Action: "devctl", Amount: 1 << 26}
	replaced := first
	replaced.Amount = 6
	for _, r := range []Rule{first, second, third, replaced} {
		if err := AddRule(r); err != nil {
			t.Fatal(err)
		}
	}
	wantRules(replaced, second, third)
	wantErrno(t, "an unknown resource", AddRule(Rule{Jail: name, Resource: "bogus", Action: "deny", Amount: 1}), unix.EINVAL)
	wantErrno(t, "an action that the resource has not", AddRule(Rule{Jail: name, Resource: "cputime", Action: "deny", Amount: 1}), unix.EOPNOTSUPP)
	usage, err := Usage(name)
	if n, ok := usage["memoryuse"]; err != nil || !ok || n != 0 {
		t.Errorf("usage of a jail that does not exist: %v, %v", usage, err)
	}
	if err := RemoveRule(name, "memoryuse", "sigkill"); err != nil {
		t.Error(err)
	}
	wantRules(replaced, third)
	for range 2 {
		if err := RemoveRules(name); err != nil {
			t.Error(err)
		}
		wantRules()
	}
}

// stageCPUs says which CPUs it may use.
func stageCPUs() error {
	var s CPUSet
	if err := cpusetGetaffinity("", cpuLevelWhich, cpuWhichPID, -1, s[:]); err != nil {
		return err
	}
	return ready(s.String())
}

func TestCPUSet_OfAJail(t *testing.T) {
	j := newJail(t)
	all, err := JailCPUs(j.ID)
	if err != nil || all == (CPUSet{}) {
		t.Fatalf("got %v, %v", all, err)
	}
	s := jailStage(t, j, "attach")
	one, err := ParseCPUs(strings.FieldsFunc(all.String(), func(r rune) bool { return r == ',' || r == '-' })[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := SetJailCPUs(j.ID, one); err != nil {
		t.Fatal(err)
	}
	if got, err := JailCPUs(j.ID); err != nil || got != one {
		t.Errorf("got %v, %v, want %v", got, err, one)
	}
	var of CPUSet
	if err := cpusetGetaffinity("", cpuLevelWhich, cpuWhichPID, s.Process.Pid, of[:]); err != nil || of != one {
		t.Errorf("the jail's process has %v, %v, want %v", of, err, one)
	}
	wantErrno(t, "no CPU", SetJailCPUs(j.ID, CPUSet{}), unix.EDEADLK)
	wantErrno(t, "a CPU that is not there", SetJailCPUs(j.ID, CPUSet{127: 0x80}), unix.EINVAL)
	wantErrno(t, "a jail that is not there", SetJailCPUs(999999, one), unix.ESRCH)
	_, err = JailCPUs(999999)
	wantErrno(t, "a jail that is not there", err, unix.ESRCH)
	if err := SetJailCPUs(j.ID, all); err != nil {
		t.Error(err)
	}
	if err := SetJailDomains(j.ID, "0"); err != nil {
		t.Error(err)
	}
	wantErrno(t, "a jail that is not there", SetJailDomains(999999, "0"), unix.ESRCH)
	if err := SetJailDomains(j.ID, "x"); !errors.Is(err, unix.EINVAL) {
		t.Errorf("domain x: %v, want EINVAL", err)
	}
}

func TestModules(t *testing.T) {
	need.Root(t)
	for range 2 {
		if err := LoadModule("nullfs"); err != nil {
			t.Fatal(err)
		}
	}
	if !HasModule("nullfs") {
		t.Error("nullfs is not there after it was loaded")
	}
	if HasModule("jt-nosuchmodule") {
		t.Error("a module that does not exist is there")
	}
	wantErrno(t, "LoadModule", LoadModule("jt-nosuchmodule"), unix.ENOENT)
	wantErrno(t, "a name with a NUL", LoadModule("a\x00b"), unix.EINVAL)
}

func TestRelease(t *testing.T) {
	n, err := Osreldate()
	if err != nil || n < 1400000 {
		t.Errorf("release %d, %v", n, err)
	}
	want, err := unix.SysctlUint32("kern.osreldate")
	if err != nil || int(want) != n {
		t.Errorf("release %d, the system says %d, %v", n, want, err)
	}
	boot, err := BootTime()
	if age := time.Since(boot); err != nil || age < 0 || boot.Year() < 2000 {
		t.Errorf("booted %v, %v", boot, err)
	}
}

// The numbers that golang.org/x/sys has are the same as ours.
func TestNumbers_AreThoseOfTheLibrary(t *testing.T) {
	for name, c := range map[string][2]int{
		"unmount":            {sysUnmount, unix.SYS_UNMOUNT},
		"ioctl":              {sysIoctl, unix.SYS_IOCTL},
		"setgroups":          {sysSetgroups14, unix.SYS_SETGROUPS},
		"setrlimit":          {sysSetrlimit, unix.SYS_SETRLIMIT},
		"sysctl":             {sysSysctl, unix.SYS___SYSCTL},
		"modfind":            {sysModfind, unix.SYS_MODFIND},
		"kldload":            {sysKldload, unix.SYS_KLDLOAD},
		"nmount":             {sysNmount, unix.SYS_NMOUNT},
		"jail_attach":        {sysJailAttach, unix.SYS_JAIL_ATTACH},
		"jail_get":           {sysJailGet, unix.SYS_JAIL_GET},
		"jail_set":           {sysJailSet, unix.SYS_JAIL_SET},
		"jail_remove":        {sysJailRemove, unix.SYS_JAIL_REMOVE},
		"cpuset_setid":       {sysCpusetSetid, unix.SYS_CPUSET_SETID},
		"cpuset_getaffinity": {sysCpusetGetaffinity, unix.SYS_CPUSET_GETAFFINITY},
		"cpuset_setaffinity": {sysCpusetSetaffinity, unix.SYS_CPUSET_SETAFFINITY},
		"cpuset_getdomain":   {sysCpusetGetdomain, unix.SYS_CPUSET_GETDOMAIN},
		"cpuset_setdomain":   {sysCpusetSetdomain, unix.SYS_CPUSET_SETDOMAIN},
		"posix_openpt":       {sysPosixOpenpt, unix.SYS_POSIX_OPENPT},
		"setloginclass":      {sysSetloginclass, unix.SYS_SETLOGINCLASS},
		"rctl_get_racct":     {sysRctlGetRacct, unix.SYS_RCTL_GET_RACCT},
		"rctl_get_rules":     {sysRctlGetRules, unix.SYS_RCTL_GET_RULES},
		"rctl_add_rule":      {sysRctlAddRule, unix.SYS_RCTL_ADD_RULE},
		"rctl_remove_rule":   {sysRctlRemoveRule, unix.SYS_RCTL_REMOVE_RULE},
		"wait6":              {sysWait6, unix.SYS_WAIT6},
		"procctl":            {sysProcctl, unix.SYS_PROCCTL},
		"statfs":             {sysStatfs, unix.SYS_STATFS},
		"getfsstat":          {sysGetfsstat, unix.SYS_GETFSSTAT},
		"close_range":        {sysCloseRange, unix.SYS_CLOSE_RANGE},
	} {
		if c[0] != c[1] {
			t.Errorf("%s: %d, the library has %d", name, c[0], c[1])
		}
	}
}
