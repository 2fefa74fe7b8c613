//go:build !freebsd

package kernel

import (
	"errors"
	"os"
	"testing"
)

// A stub that returns nil for work it did not do lets its caller go on.
func TestOtherSystems_Unsupported(t *testing.T) {
	j := JailFromFile(nil, 1)
	second := func(_ any, err error) error { return err }
	calls := map[string]error{
		"CreateJail":     second(CreateJail(nil)),
		"OpenJail":       second(OpenJail("x")),
		"OpenJailID":     second(OpenJailID(1)),
		"*Jail.Update":   j.Update(nil),
		"*Jail.Get":      second(j.Get("name")),
		"*Jail.Remove":   j.Remove(),
		"*Jail.Attach":   j.Attach(),
		"StateOfJail":    second(StateOfJail(1)),
		"Jails":          second(Jails(true)),
		"LookupParam":    second(LookupParam("ip4")),
		"Params":         second(Params()),
		"Mount":          Mount("tmpfs", "/nonexistent", nil, 0),
		"MountAt":        MountAt("tmpfs", os.Stdin, ".", nil, 0),
		"Unmount":        Unmount("/nonexistent", false),
		"UnmountID":      UnmountID(FSID{}, false),
		"Mounts":         second(Mounts()),
		"MountOf":        second(MountOf("/")),
		"MountOfFile":    second(MountOfFile(0)),
		"Processes":      second(Processes()),
		"ProcessesIn":    second(ProcessesIn(1)),
		"ProcessByID":    second(ProcessByID(os.Getpid())),
		"BecomeReaper":   BecomeReaper(),
		"ReaperStatus":   second(ReaperStatus()),
		"ReaperPids":     second(ReaperPids()),
		"ReapKill":       second(ReapKill(0, os.Getpid())),
		"WaitJail":       second(WaitJail(1, true)),
		"WaitAny":        second(WaitAny(true)),
		"*Script.Fork":   second(new(Script).Fork()),
		"WaitPid":        second(WaitPid(1, true)),
		"SetWinsize":     SetWinsize(os.Stdin, 1, 1),
		"AddRule":        AddRule(Rule{}),
		"RemoveRules":    RemoveRules("x"),
		"RemoveRule":     RemoveRule("x", "", ""),
		"Rules":          second(Rules("x")),
		"Usage":          second(Usage("x")),
		"JailCPUs":       second(JailCPUs(1)),
		"SetJailCPUs":    SetJailCPUs(1, CPUSet{}),
		"SetJailDomains": SetJailDomains(1, "0"),
		"RulesetExists":  second(RulesetExists("/dev", 1)),
		"ApplyDevRule":   ApplyDevRule(os.Stdin, DevRule{}),
		"AddDevRule":     AddDevRule("/dev", 1, 1, DevRule{}),
		"RemoveDevRule":  RemoveDevRule("/dev", 1, 1),
		"Rulesets":       second(Rulesets("/dev")),
		"LoadModule":     LoadModule("x"),
		"Osreldate":      second(Osreldate()),
		"BootTime":       second(BootTime()),
		"BootID":         second(BootID()),
		"TrimProgram":    second(TrimProgram()),
	}
	master, _, err := OpenPTY()
	if calls["OpenPTY"] = err; master != nil {
		t.Error("OpenPTY returned a terminal")
	}
	for name, err := range calls {
		if !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v, want ErrUnsupported", name, err)
		}
	}
	// These have no error to return.
	if HasModule("x") || RacctEnabled() {
		t.Error("HasModule or RacctEnabled is true")
	}
	for name := range exportedFuncs(t, "_other.go") {
		if _, ok := calls[name]; !ok && name != "HasModule" && name != "RacctEnabled" {
			t.Errorf("%s is not tested", name)
		}
	}
}
