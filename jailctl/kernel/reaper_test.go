package kernel

import (
	"errors"
	"slices"
	"syscall"
	"testing"
	"time"
)

func TestDecodeReapStatus(t *testing.T) {
	b := make([]byte, reaperStatusSize)
	for off, v := range map[int]int32{
		offReaperFlags: reaperOwned, offReaperChildren: 2, offReaperDescendants: 5, offReaperReaper: 77, offReaperPid: -1,
	} {
		le.PutUint32(b[off:], uint32(v))
	}
	want := ReapStatus{Owned: true, Children: 2, Descendants: 5, Reaper: 77, Pid: -1}
	if got, err := decodeReapStatus(b); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	le.PutUint32(b[offReaperFlags:], reaperRealInit)
	if got, err := decodeReapStatus(b); err != nil || got.Owned || !got.RealInit {
		t.Errorf("got %+v, %v, want RealInit", got, err)
	}
	for n := range b {
		if got, err := decodeReapStatus(b[:n]); !errors.Is(err, ErrLayout) {
			t.Errorf("the first %d bytes: %+v, %v, want ErrLayout", n, got, err)
		}
	}
}

// pidinfo encodes an entry of the kernel's list of descendants.
func pidinfo(pid, subtree int, flags uint32) []byte {
	b := make([]byte, reaperPidinfoSize)
	le.PutUint32(b[offPidinfoPid:], uint32(pid))
	le.PutUint32(b[offPidinfoSubtree:], uint32(subtree))
	le.PutUint32(b[offPidinfoFlags:], flags)
	return b
}

func TestDecodeReapPids(t *testing.T) {
	want := []ReapPid{
		{Pid: 10, Subtree: 10, Flags: ReapValid | ReapChild},
		{Pid: 11, Subtree: 10, Flags: ReapValid | ReapZombie},
		{Pid: 12, Subtree: 10, Flags: ReapValid | ReapStopped | ReapExiting | ReapReaper},
	}
	var b []byte
	for _, p := range want {
		b = append(b, pidinfo(p.Pid, p.Subtree, p.Flags)...)
	}
	unused := append(slices.Clone(b), make([]byte, 3*reaperPidinfoSize)...)
	for n := range unused {
		got, err := decodeReapPids(unused[:n])
		switch {
		case n%reaperPidinfoSize != 0:
			if !errors.Is(err, ErrLayout) {
				t.Errorf("the first %d bytes: %v, %v, want ErrLayout", n, got, err)
			}
		case err != nil || !slices.Equal(got, want[:min(len(want), n/reaperPidinfoSize)]):
			t.Errorf("the first %d bytes: %v, %v", n, got, err)
		}
	}
}

func TestReapKill_Encoding(t *testing.T) {
	b := encodeReapKill(syscall.SIGTERM, 77)
	want := make([]byte, reaperKillSize)
	copy(want, []byte{15, 0, 0, 0, 2, 0, 0, 0, 77})
	if !slices.Equal(b, want) {
		t.Errorf("got %v, want %v", b, want)
	}
	le.PutUint32(b[offKillKilled:], 4)
	le.PutUint32(b[offKillFailedPid:], 1<<32-1)
	if killed, failed, err := decodeReapKill(b); killed != 4 || failed != 0 || err != nil {
		t.Errorf("got %d, %d, %v, want 4, 0", killed, failed, err)
	}
	le.PutUint32(b[offKillFailedPid:], 99)
	if killed, failed, err := decodeReapKill(b); killed != 4 || failed != 99 || err != nil {
		t.Errorf("got %d, %d, %v, want 4, 99", killed, failed, err)
	}
	for n := range b {
		if _, _, err := decodeReapKill(b[:n]); !errors.Is(err, ErrLayout) {
			t.Errorf("the first %d bytes: %v, want ErrLayout", n, err)
		}
	}
}

func TestDecodeWait(t *testing.T) {
	usage := make([]byte, wrusageSize)
	for off, usec := range map[int]uint64{
		offWrusageSelf + offRusageUtime: 1, offWrusageSelf + offRusageStime: 10,
		offWrusageChildren + offRusageUtime: 100, offWrusageChildren + offRusageStime: 1000,
	} {
		le.PutUint64(usage[off+offTimevalUsec:], usec)
	}
	const user, system = 101 * time.Microsecond, 1010 * time.Microsecond
	for _, c := range []struct {
		pid    int
		status int32
		want   WaitResult
	}{
		{0, 0, WaitResult{}},
		{5, 0x700, WaitResult{Pid: 5, Status: 7, UserTime: user, SystemTime: system}},
		{5, 0, WaitResult{Pid: 5, UserTime: user, SystemTime: system}},
		{5, 0xff00, WaitResult{Pid: 5, Status: 255, UserTime: user, SystemTime: system}},
		{5, 9, WaitResult{Pid: 5, Status: 137, Signaled: true, Signal: 9, UserTime: user, SystemTime: system}},
		{5, 0x8b, WaitResult{Pid: 5, Status: 139, Signaled: true, Signal: 11, UserTime: user, SystemTime: system}}, // dumped core
	} {
		if got, err := decodeWait(c.pid, c.status, usage); err != nil || got != c.want {
			t.Errorf("pid %d status %#x: got %+v, %v, want %+v", c.pid, c.status, got, err, c.want)
		}
	}
	for n := range usage {
		if got, err := decodeWait(5, 0, usage[:n]); !errors.Is(err, ErrLayout) {
			t.Errorf("the first %d bytes of usage: %+v, %v, want ErrLayout", n, got, err)
		}
	}
}

// FuzzDecodeProcctl feeds bytes in place of what procctl(2) and wait6(2) fill.
func FuzzDecodeProcctl(f *testing.F) {
	f.Add(append(pidinfo(10, 10, ReapValid), pidinfo(11, 10, ReapValid|ReapChild)...), int32(0x700))
	f.Add(make([]byte, reaperStatusSize), int32(9))
	f.Add(encodeReapKill(syscall.SIGKILL, 1), int32(0x117f))
	f.Add(make([]byte, wrusageSize), int32(0x8b))
	f.Fuzz(func(t *testing.T, b []byte, status int32) {
		if pids, err := decodeReapPids(b); err == nil && len(pids) > len(b)/reaperPidinfoSize {
			t.Errorf("%d descendants in %d bytes", len(pids), len(b))
		}
		if s, err := decodeReapStatus(b); err == nil && (s.Children < 0 || s.Descendants < 0) {
			t.Errorf("status %+v", s)
		}
		if killed, failed, err := decodeReapKill(b); err == nil && (killed < 0 || failed < 0) {
			t.Errorf("%d killed, %d failed", killed, failed)
		}
		if r, err := decodeWait(1, status, b); err == nil && (r.Status < 0 || r.Status > 255 || r.Signaled != (r.Signal != 0)) {
			t.Errorf("status %#x: %+v", status, r)
		}
	})
}
