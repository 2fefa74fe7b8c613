package kernel

import (
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"
)

// ProcStat is what a process is doing (ki_stat).
type ProcStat int8

// Process is an entry of the process table.
type Process struct {
	Pid, PPid   int
	Jid         int // 0 also for processes of the reader's own jail
	Uid         int //nolint:revive // effective; spelled as Pid and Jid are
	Stat        ProcStat
	Comm        string        // name of the program, cut at 19 bytes
	RSS         int64         // resident memory, bytes; shared pages count in each process; 0 of a zombie
	VSize       uint64        // virtual memory, bytes; 0 of a zombie
	Runtime     time.Duration // time on a processor, of the process alone
	ChildTime   time.Duration // user and system time of the children that it waited for
	UserTime    time.Duration // of the process alone
	SystemTime  time.Duration // of the process alone
	MaxRSS      int64         // most resident memory so far, bytes
	Threads     int
	Killed      bool // killed by the kernel, such as for want of memory; not by a resource rule
	Reaper      int  // pid of its reaper; 0 of init
	ReapSubtree int  // pid of the reaper's child from which it descends
	Start       time.Time
	InBlock     int64 // block input operations
	OutBlock    int64 // block output operations
	Xstat       int   // wait status of a zombie; signal that stopped a stopped process
	Flag        int64 // ProcFlag…
}

// KilledForMemory reports whether a process that has ended was killed by its jail's
// limit of memory, in bytes; 0 is none. The kernel does that with an ordinary SIGKILL,
// to whichever process it looks at while all together have too much: what tells is that
// they had. Others returns the processes of the jail; if it can't, this one's memory
// alone counts.
func (p *Process) KilledForMemory(limit uint64, others func() ([]Process, error)) bool {
	if limit == 0 || syscall.WaitStatus(p.Xstat).Signal() != syscall.SIGKILL {
		return false
	}
	had := uint64(p.MaxRSS)
	all, _ := others()
	for _, o := range all {
		if o.Stat != ProcZombie {
			had += uint64(o.RSS)
		}
	}
	return had >= limit
}

// DecodeProcesses decodes an array of struct kinfo_proc, as the sysctl nodes
// below kern.proc return it. Data of another size, or of a kernel whose structure
// has another size, wraps [ErrLayout].
func DecodeProcesses(b []byte) ([]Process, error) {
	return decodeProcesses(b, os.Getpagesize(), nil)
}

// DecodeProcessesIn is DecodeProcesses for the processes of some jails, by their
// jids.
func DecodeProcessesIn(b []byte, jids ...int) ([]Process, error) {
	return decodeProcesses(b, os.Getpagesize(), func(jid int) bool { return slices.Contains(jids, jid) })
}

// decodeProcesses decodes those of the jails that are wanted; nil is all.
func decodeProcesses(b []byte, pageSize int, wanted func(jid int) bool) ([]Process, error) {
	if len(b)%kinfoProcSize != 0 {
		return nil, fmt.Errorf("%d bytes of processes of %d bytes: %w", len(b), kinfoProcSize, ErrLayout)
	}
	var procs []Process
	if wanted == nil {
		procs = make([]Process, 0, len(b)/kinfoProcSize)
	}
	for ; len(b) > 0; b = b[kinfoProcSize:] {
		if n := le.Uint32(b[offKiStructSize:]); n != kinfoProcSize {
			return nil, fmt.Errorf("process of %d bytes: %w", n, ErrLayout)
		}
		if wanted == nil || wanted(int(int32(le.Uint32(b[offKiJid:])))) {
			procs = append(procs, decodeProcess(b[:kinfoProcSize], pageSize))
		}
	}
	return procs, nil
}

// decodeProcess decodes one struct kinfo_proc, whose size was checked.
func decodeProcess(b []byte, pageSize int) Process {
	i32 := func(off int) int { return int(int32(le.Uint32(b[off:]))) }
	i64 := func(off int) int64 { return int64(le.Uint64(b[off:])) }
	flag := i64(offKiFlag)
	return Process{
		Pid:         i32(offKiPid),
		PPid:        i32(offKiPpid),
		Jid:         i32(offKiJid),
		Uid:         int(le.Uint32(b[offKiUID:])),
		Stat:        ProcStat(b[offKiStat]),
		Comm:        DecodeString(b[offKiComm:][:commSize]),
		RSS:         i64(offKiRssize) * int64(pageSize),
		VSize:       le.Uint64(b[offKiSize:]),
		Runtime:     time.Duration(i64(offKiRuntime)) * time.Microsecond,
		ChildTime:   decodeDuration(b[offKiChildtime:]),
		UserTime:    decodeDuration(b[offKiRusage+offRusageUtime:]),
		SystemTime:  decodeDuration(b[offKiRusage+offRusageStime:]),
		MaxRSS:      i64(offKiRusage+offRusageMaxRSS) << 10,
		Threads:     i32(offKiNumThreads),
		Killed:      flag&ProcFlagKilled != 0,
		Reaper:      i32(offKiReaper),
		ReapSubtree: i32(offKiReapSubtree),
		Start:       decodeTime(b[offKiStart:]),
		InBlock:     i64(offKiRusage + offRusageInBlock),
		OutBlock:    i64(offKiRusage + offRusageOuBlock),
		Xstat:       int(le.Uint16(b[offKiXstat:])),
		Flag:        flag,
	}
}

// decodeTime decodes the struct timeval at the start of b as a point in time,
// decodeDuration as a span.
func decodeTime(b []byte) time.Time {
	sec, usec := decodeTimeval(b)
	return time.Unix(sec, usec*int64(time.Microsecond))
}

func decodeDuration(b []byte) time.Duration {
	sec, usec := decodeTimeval(b)
	return time.Duration(sec)*time.Second + time.Duration(usec)*time.Microsecond
}

func decodeTimeval(b []byte) (sec, usec int64) {
	b = b[:timevalSize]
	return int64(le.Uint64(b[offTimevalSec:])), int64(le.Uint64(b[offTimevalUsec:]))
}
