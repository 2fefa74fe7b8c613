package kernel

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"jailshim/internal/captured"
)

// vectorPage is the page size of the machine that the vectors are from.
const vectorPage = 4096

// processFields are the fields that the notes give, in their words.
func processFields(p Process) map[string]string {
	return map[string]string{
		"pid":           fmt.Sprint(p.Pid),
		"ppid":          fmt.Sprint(p.PPid),
		"uid":           fmt.Sprint(p.Uid),
		"size":          fmt.Sprint(p.VSize),
		"rssize(pages)": fmt.Sprint(p.RSS / vectorPage),
		"xstat":         fmt.Sprintf("%#x", p.Xstat),
		"runtime_us":    fmt.Sprint(p.Runtime.Microseconds()),
		"flag":          fmt.Sprintf("%#x", p.Flag),
		"stat":          fmt.Sprint(int(p.Stat)),
		"comm":          fmt.Sprintf("%q", p.Comm),
		"reaper":        fmt.Sprint(p.Reaper),
		"reapsubtree":   fmt.Sprint(p.ReapSubtree),
		"jid":           fmt.Sprint(p.Jid),
		"numthreads":    fmt.Sprint(p.Threads),
		"ru_maxrss":     fmt.Sprint(p.MaxRSS >> 10),
	}
}

// noteProcesses returns the processes of a note, as its fields.
func noteProcesses(tb testing.TB, name string) []map[string]string {
	tb.Helper()
	var procs []map[string]string
	for line := range strings.Lines(captured.Note(tb, name)) {
		if !strings.HasPrefix(line, "structsize=") {
			continue
		}
		fields := make(map[string]string)
		for _, f := range strings.Fields(line) {
			k, v, _ := strings.Cut(f, "=")
			fields[k] = v
		}
		procs = append(procs, fields)
	}
	return procs
}

func TestDecodeProcesses(t *testing.T) {
	day := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	for _, name := range []string{vectorProcesses, vectorJailed, vectorKilled} {
		procs, err := decodeProcesses(captured.Bytes(t, name), vectorPage, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := noteProcesses(t, name)
		if len(procs) != len(want) || len(procs) == 0 {
			t.Errorf("%s: got %d processes, the note has %d", name, len(procs), len(want))
			continue
		}
		for i, p := range procs {
			for k, got := range processFields(p) {
				if want[i][k] != got {
					t.Errorf("%s: process %d: %s: got %s, want %s", name, p.Pid, k, got, want[i][k])
				}
			}
			// The notes have no times. User and system time make up the runtime,
			// up to what a running process gained while they were read.
			if d := p.Runtime - p.UserTime - p.SystemTime; d.Abs() > 5*time.Millisecond {
				t.Errorf("%s: process %d: %v user + %v system, %v in all", name, p.Pid, p.UserTime, p.SystemTime, p.Runtime)
			}
			if d := p.Start.Sub(day); d < 0 || d > 24*time.Hour {
				t.Errorf("%s: process %d started %v", name, p.Pid, p.Start)
			}
			if p.Killed != (name == vectorKilled) {
				t.Errorf("%s: process %d: Killed %v", name, p.Pid, p.Killed)
			}
		}
	}
}

func TestDecodeProcesses_FieldsWithoutNote(t *testing.T) {
	procs, err := decodeProcesses(captured.Bytes(t, vectorProcesses), vectorPage, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		childTime         time.Duration
		inBlock, outBlock int64
		stat              ProcStat
	}{
		{12819861 * time.Microsecond, 73, 0, ProcSleep},
		{0, 0, 20, ProcSleep},
		{0, 0, 0, ProcSleep},
		{0, 0, 0, ProcStop},
		{0, 0, 0, ProcZombie},
	}
	for i, p := range procs {
		w := want[i]
		if p.ChildTime != w.childTime || p.InBlock != w.inBlock || p.OutBlock != w.outBlock || p.Stat != w.stat {
			t.Errorf("process %d: got %+v, want %+v", p.Pid, p, w)
		}
		if jailed := p.Flag&ProcFlagJailed != 0; jailed != (p.Jid != 0) {
			t.Errorf("process %d: flags %#x, jail %d", p.Pid, p.Flag, p.Jid)
		}
		if stopped := p.Flag&ProcFlagStopped != 0; stopped != (p.Stat == ProcStop) {
			t.Errorf("process %d: flags %#x, state %d", p.Pid, p.Flag, p.Stat)
		}
		if exiting := p.Flag&ProcFlagExiting != 0; exiting != (p.Stat == ProcZombie) {
			t.Errorf("process %d: flags %#x, state %d", p.Pid, p.Flag, p.Stat)
		}
	}
}

func TestDecodeProcesses_Prefixes(t *testing.T) {
	for _, name := range []string{vectorProcesses, vectorJailed, vectorKilled} {
		b := captured.Bytes(t, name)
		whole, err := DecodeProcesses(b)
		if err != nil {
			t.Fatal(err)
		}
		for n := range b {
			got, err := DecodeProcesses(b[:n])
			switch {
			case n%kinfoProcSize == 0 && (err != nil || !slices.Equal(got, whole[:n/kinfoProcSize])):
				t.Errorf("%s: the first %d bytes: %d processes, %v", name, n, len(got), err)
			case n%kinfoProcSize != 0 && !errors.Is(err, ErrLayout):
				t.Errorf("%s: the first %d bytes: %d processes, %v, want ErrLayout", name, n, len(got), err)
			}
		}
	}
}

func TestProcess_KilledForMemory(t *testing.T) {
	const sigkill, sigterm = 9, 15
	others := []Process{{RSS: 60}, {RSS: 1000, Stat: ProcZombie}}
	for _, test := range []struct {
		p     Process
		limit uint64
		want  bool
	}{
		{Process{Xstat: sigkill, MaxRSS: 40}, 100, true},
		{Process{Xstat: sigkill, MaxRSS: 39}, 100, false},
		{Process{Xstat: sigkill, MaxRSS: 100}, 100, true},
		{Process{Xstat: sigkill, MaxRSS: 40}, 0, false},
		{Process{Xstat: sigterm, MaxRSS: 100}, 100, false},
		{Process{Xstat: 0, MaxRSS: 100}, 100, false},
	} {
		if got := test.p.KilledForMemory(test.limit, func() ([]Process, error) { return others, nil }); got != test.want {
			t.Errorf("%+v, limit %d: %t", test.p, test.limit, got)
		}
	}
	alone := Process{Xstat: sigkill, MaxRSS: 99}
	if alone.KilledForMemory(100, func() ([]Process, error) { return nil, ErrUnsupported }) {
		t.Error("memory of processes that nobody has seen counts")
	}
}

func TestDecodeProcessesIn(t *testing.T) {
	b := captured.Bytes(t, vectorProcesses)
	all, err := DecodeProcesses(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, jids := range [][]int{nil, {0}, {all[0].Jid, 1 << 30}, {1 << 30}} {
		want := slices.DeleteFunc(slices.Clone(all), func(p Process) bool { return !slices.Contains(jids, p.Jid) })
		got, err := DecodeProcessesIn(b, jids...)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("jails %v: %d processes, %v, want %d", jids, len(got), err, len(want))
		}
	}
	if _, err := DecodeProcessesIn(b[:len(b)-1]); !errors.Is(err, ErrLayout) {
		t.Errorf("a part of a process: %v, want ErrLayout", err)
	}
}

// A newer kernel may have a longer structure; taking its second entry from the
// middle of the first would report processes that do not exist.
func TestDecodeProcesses_OtherStructure_Refused(t *testing.T) {
	b := captured.Bytes(t, vectorProcesses)
	le.PutUint32(b[kinfoProcSize+offKiStructSize:], kinfoProcSize+64)
	if got, err := DecodeProcesses(b); !errors.Is(err, ErrLayout) || got != nil {
		t.Errorf("got %d processes, %v, want ErrLayout", len(got), err)
	}
}

// FuzzDecodeProcesses feeds bytes in place of what kern.proc returns.
func FuzzDecodeProcesses(f *testing.F) {
	for _, name := range []string{vectorProcesses, vectorJailed, vectorKilled} {
		f.Add(captured.Bytes(f, name))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		procs, err := DecodeProcesses(b)
		if err == nil && len(procs)*kinfoProcSize != len(b) || err != nil && procs != nil {
			t.Errorf("%d bytes: %d processes, %v", len(b), len(procs), err)
		}
		for _, p := range procs {
			if len(p.Comm) > commSize || p.Killed != (p.Flag&ProcFlagKilled != 0) {
				t.Errorf("process %+v", p)
			}
		}
	})
}
