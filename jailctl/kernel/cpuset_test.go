package kernel

import (
	"errors"
	"syscall"
	"testing"
)

func TestParseCPUs(t *testing.T) {
	for list, want := range map[string]map[int]byte{
		"0":            {0: 1},
		"0-3,5":        {0: 0x2f},
		"5,0-1,1,2-3":  {0: 0x2f},
		"7-8":          {0: 0x80, 1: 1},
		"1023":         {127: 0x80},
		"0,8,16-23,31": {0: 1, 1: 1, 2: 0xff, 3: 0x80},
	} {
		var s CPUSet
		for i, b := range want {
			s[i] = b
		}
		if got, err := ParseCPUs(list); err != nil || got != s {
			t.Errorf("%q: got %v, %v, want %v", list, got, err, s)
		}
	}
	for _, list := range []string{
		"", ",", "0,", ",0", "-", "1-", "-1", "3-2", "1024", "0-1024", "a", " 1", "0x1", "+1", "1-2-3", "4294967296",
		"9223372036854775808",
	} {
		if got, err := ParseCPUs(list); !errors.Is(err, syscall.EINVAL) || got != (CPUSet{}) {
			t.Errorf("%q: got %v, %v, want EINVAL", list, got, err)
		}
	}
}

func TestCPUSet_String(t *testing.T) {
	all := CPUSet{}
	for i := range all {
		all[i] = 0xff
	}
	for _, c := range []struct {
		set  CPUSet
		want string
	}{
		{CPUSet{}, ""},
		{CPUSet{0: 0x2f}, "0-3,5"},
		{CPUSet{0: 0x80, 1: 1, 127: 0x80}, "7-8,1023"},
		{all, "0-1023"},
	} {
		if got := c.set.String(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestParseDomains(t *testing.T) {
	if got, err := parseDomains("0-1"); err != nil || len(got) != 32 || got[0] != 3 {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := parseDomains("256"); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("domain 256: %v, %v, want EINVAL", got, err)
	}
}

// FuzzParseCPUs feeds lists of CPUs: what is accepted is written as it was read.
func FuzzParseCPUs(f *testing.F) {
	f.Add("0-3,5")
	f.Add("1023,0,7-8")
	f.Fuzz(func(t *testing.T, list string) {
		s, err := ParseCPUs(list)
		if err != nil {
			return
		}
		if again, err := ParseCPUs(s.String()); err != nil || again != s {
			t.Errorf("%q: %v, then %v, %v", list, s, again, err)
		}
	})
}
