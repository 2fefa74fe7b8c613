package kernel

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"syscall"
	"testing"
)

func TestRlimitNumbers(t *testing.T) {
	// The limits that the OCI specification names and FreeBSD has.
	for name, want := range map[string]int{
		"RLIMIT_AS": 10, "RLIMIT_CORE": 4, "RLIMIT_CPU": 0, "RLIMIT_DATA": 2, "RLIMIT_FSIZE": 1, "RLIMIT_MEMLOCK": 6,
		"RLIMIT_NOFILE": 8, "RLIMIT_NPROC": 7, "RLIMIT_RSS": 5, "RLIMIT_STACK": 3,
	} {
		if got, ok := RlimitNumbers[name]; !ok || got != want {
			t.Errorf("%s: got %d, %v, want %d", name, got, ok, want)
		}
	}
	for _, name := range []string{"RLIMIT_LOCKS", "RLIMIT_MSGQUEUE", "RLIMIT_NICE", "RLIMIT_RTPRIO", "RLIMIT_RTTIME", "RLIMIT_SIGPENDING"} {
		if n, ok := RlimitNumbers[name]; ok {
			t.Errorf("%s is %d, and only Linux has it", name, n)
		}
	}
	numbers := make(map[int]string)
	for name, n := range RlimitNumbers {
		if !strings.HasPrefix(name, "RLIMIT_") {
			t.Errorf("name %q", name)
		}
		numbers[n] = name
	}
	for n := range 16 {
		if numbers[n] == "" {
			t.Errorf("no name for limit %d", n)
		}
	}
}

func TestEncodeRlimit_NoLimit(t *testing.T) {
	infinity := []byte{255, 255, 255, 255, 255, 255, 255, 127}
	for _, v := range []uint64{math.MaxUint64, 1 << 63, math.MaxInt64} {
		if got := encodeRlimit(Rlimit{Soft: v, Hard: v}); !bytes.Equal(got, append(infinity[:8:8], infinity...)) {
			t.Errorf("%#x is %x", v, got)
		}
	}
	got := encodeRlimit(Rlimit{Soft: 1, Hard: 2})
	if want := []byte{1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0}; !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

// The kernel takes the first entry for the effective group: left out, the first
// supplementary group is lost.
func TestEncodeGroups_EffectiveGroupFirst(t *testing.T) {
	got, err := encodeGroups(1000, []int{1001, 1002})
	if want := []byte{0xe8, 3, 0, 0, 0xe9, 3, 0, 0, 0xea, 3, 0, 0}; err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %x, %v, want %x", got, err, want)
	}
	if got, err := encodeGroups(0, nil); err != nil || len(got) != 4 {
		t.Errorf("no supplementary groups: %x, %v", got, err)
	}
	if got, err := encodeGroups(0, make([]int, 1023)); err != nil || len(got) != 4*1024 {
		t.Errorf("1023 supplementary groups: %d bytes, %v", len(got), err)
	}
	if _, err := encodeGroups(0, make([]int, 1024)); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("1024 supplementary groups: %v, want EINVAL", err)
	}
	for _, g := range []int{-1, math.MaxInt} {
		if got, err := encodeGroups(0, []int{g}); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("group %d: %x, %v, want EINVAL", g, got, err)
		}
		if got, err := encodeGroups(g, nil); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("effective group %d: %x, %v, want EINVAL", g, got, err)
		}
	}
}
