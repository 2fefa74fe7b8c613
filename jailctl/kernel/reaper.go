package kernel

import (
	"fmt"
	"syscall"
)

// ReapStatus is what procctl(2) PROC_REAP_STATUS tells of the caller's reaper,
// which is the caller itself if Owned.
type ReapStatus struct {
	Owned       bool // the caller is a reaper
	RealInit    bool // the reaper is init
	Children    int  // direct children of the reaper
	Descendants int  // all below the reaper, children included, those of reapers among them not
	Reaper      int  // its pid
	Pid         int  // one of its children; -1 if it has none
}

// ReapPid is a descendant of a reaper.
type ReapPid struct {
	Pid int
	// Subtree is the pid of the reaper's direct child from which it descends.
	// That child may be gone, and the pid may be another process's by now.
	Subtree int
	Flags   uint32 // ReapChild, …
}

// decodeReapStatus decodes a struct procctl_reaper_status.
func decodeReapStatus(b []byte) (ReapStatus, error) {
	if len(b) != reaperStatusSize {
		return ReapStatus{}, fmt.Errorf("reaper status of %d bytes: %w", len(b), ErrLayout)
	}
	flags := le.Uint32(b[offReaperFlags:])
	return ReapStatus{
		Owned:       flags&reaperOwned != 0,
		RealInit:    flags&reaperRealInit != 0,
		Children:    int(le.Uint32(b[offReaperChildren:])),
		Descendants: int(le.Uint32(b[offReaperDescendants:])),
		Reaper:      int(int32(le.Uint32(b[offReaperReaper:]))),
		Pid:         int(int32(le.Uint32(b[offReaperPid:]))),
	}, nil
}

// decodeReapPids decodes an array of struct procctl_reaper_pidinfo. The kernel
// marks the entries that it filled and puts them first.
func decodeReapPids(b []byte) ([]ReapPid, error) {
	if len(b)%reaperPidinfoSize != 0 {
		return nil, fmt.Errorf("%d bytes of reaper entries of %d bytes: %w", len(b), reaperPidinfoSize, ErrLayout)
	}
	var pids []ReapPid
	for ; len(b) > 0; b = b[reaperPidinfoSize:] {
		flags := le.Uint32(b[offPidinfoFlags:])
		if flags&ReapValid == 0 {
			break
		}
		pids = append(pids, ReapPid{
			Pid:     int(int32(le.Uint32(b[offPidinfoPid:]))),
			Subtree: int(int32(le.Uint32(b[offPidinfoSubtree:]))),
			Flags:   flags,
		})
	}
	return pids, nil
}

// encodeReapKill encodes a struct procctl_reaper_kill for one subtree.
func encodeReapKill(sig syscall.Signal, subtree int) []byte {
	b := make([]byte, reaperKillSize)
	le.PutUint32(b[offKillSig:], uint32(sig))
	le.PutUint32(b[offKillFlags:], reaperKillSubtree)
	le.PutUint32(b[offKillSubtree:], uint32(subtree))
	return b
}

// decodeReapKill decodes what the kernel left in a struct procctl_reaper_kill:
// how many processes got the signal, and the first that could not be sent it, 0
// if there is none.
func decodeReapKill(b []byte) (killed, failed int, err error) {
	if len(b) != reaperKillSize {
		return 0, 0, fmt.Errorf("reaper kill of %d bytes: %w", len(b), ErrLayout)
	}
	failed = int(int32(le.Uint32(b[offKillFailedPid:])))
	return int(le.Uint32(b[offKillKilled:])), max(failed, 0), nil
}
