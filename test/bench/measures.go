package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// bound is what the project promises about a measure.
type bound struct {
	// Ratio says that Max is for the ratio of ours to theirs; else it is for ours,
	// in the measure's unit.
	Ratio bool    `json:"ratio"`
	Max   float64 `json:"max"`
}

// The bounds, from the design.
var (
	notSlower = &bound{Ratio: true, Max: 1}
	idleMax   = &bound{Max: 12}
	growthMax = &bound{Max: 1}
	sizeMax   = &bound{Max: 16}
)

// promises are the bounds of what is compared with another shim; nil: none.
type promises struct {
	run, client, exec *bound
}

const growthName = "each further container of a pod: resident"

// memoryMeasures are the parts of a memory sample that the kernel tells.
func memoryMeasures(when string) []*measure {
	return []*measure{
		{Name: when + ": resident", Unit: "MiB", Bound: idleMax},
		{Name: when + ": resident, private", Unit: "MiB"},
		{Name: when + ": resident, of files", Unit: "MiB"},
		{Name: when + ": proportional", Unit: "MiB"},
	}[:memoryParts]
}

// measure does everything, in order.
func (b *bench) measure() (*report, error) {
	r := &report{
		Date: time.Now().UTC().Format(time.DateOnly), OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(),
		Kernel: kernelName(), Snapshotter: b.snapshotter, Ours: b.config.ours, Theirs: b.config.theirs,
	}
	version, err := b.client.Version(b.ctx)
	if err != nil {
		return nil, err
	}
	r.Containerd, _, _ = strings.Cut(version.Version, "+") // without "+unknown"
	if load, err := busy(); err == nil && load > float64(r.CPUs)/2 {
		fmt.Fprintf(b.out, "the machine is busy (load %.1f on %d processors): times will be high and uneven\n", load, r.CPUs)
	}

	both := func(f func(runtime string) (sample, error)) func(bool) (sample, error) {
		return func(ours bool) (sample, error) { return f(b.runtime(ours)) }
	}
	n, rounds, p := b.config.pairs, b.config.rounds, b.config.parallel
	for _, s := range []series{
		{pairs: n, f: both(b.ctrRun), measures: []*measure{{Name: "ctr run --rm, true", Unit: "ms", Bound: promised.run}}},
		{pairs: n, f: both(b.clientRun), measures: []*measure{{Name: "client: create to delete, true", Unit: "ms", Bound: promised.client}}},
		{pairs: rounds, f: both(b.ctrParallel), measures: []*measure{{Name: fmt.Sprintf("ctr run --rm, %d at once", p), Unit: "ms"}}},
		{pairs: rounds, f: both(b.clientParallel), measures: []*measure{{Name: fmt.Sprintf("client: create to delete, %d at once", p), Unit: "ms"}}},
		{pairs: rounds, f: both(b.idle), alone: true, held: true, measures: memoryMeasures("idle shim")},
		{pairs: rounds, f: both(b.growth), alone: true, held: true, measures: []*measure{{Name: growthName, Unit: "MiB", Bound: growthMax}}},
	} {
		if err := b.series(r, s); err != nil {
			return nil, err
		}
	}
	// An exec is so short that chance weighs more.
	if err := b.execs(r, 3*n); err != nil {
		return nil, err
	}
	if err := b.hostMeasures(r); err != nil {
		return nil, err
	}
	return r, b.sizes(r)
}

// runtime returns the name of our runtime or of theirs.
func (b *bench) runtime(ours bool) string {
	if ours {
		return b.config.ours
	}
	return b.config.theirs
}

// execs measures execs in one container of each runtime, which stay for all of
// them, and then the memory of their shims.
func (b *bench) execs(r *report, n int) (retErr error) {
	services := map[bool]*service{}
	for _, ours := range []bool{true, false} {
		if !ours && (b.config.theirs == "" || !peerHolds) {
			continue
		}
		s, err := b.start(b.runtime(ours))
		if err != nil {
			return err
		}
		defer func() { retErr = errors.Join(retErr, s.remove()) }()
		services[ours] = s
	}
	for _, s := range []series{
		{pairs: n, alone: true, held: true, f: func(ours bool) (sample, error) { return services[ours].ctrExec() },
			measures: []*measure{{Name: "ctr task exec, true", Unit: "ms", Bound: promised.exec}}},
		{pairs: n, alone: true, held: true, f: func(ours bool) (sample, error) { return services[ours].clientExec() },
			measures: []*measure{{Name: "client: exec to delete, true", Unit: "ms", Bound: promised.exec}}},
		// One reading: a second one would be of the same two processes.
		{pairs: 1, alone: true, held: true, f: func(ours bool) (sample, error) {
			m, err := services[ours].settled()
			return m.sample()[:1], err
		}, measures: []*measure{{Name: "shim after these execs: resident", Unit: "MiB", Bound: idleMax}}},
	} {
		if err := b.series(r, s); err != nil {
			return err
		}
	}
	return nil
}

// sizes compares the shims' programs.
func (b *bench) sizes(r *report) error {
	return b.series(r, series{pairs: 1, alone: true, f: func(ours bool) (sample, error) {
		program, err := b.daemon.Program(shimProgram(b.runtime(ours)))
		if err != nil {
			return nil, err
		}
		info, err := os.Stat(program)
		if err != nil {
			return nil, err
		}
		return sample{float64(info.Size()) / mebibyte}, nil
	}, measures: []*measure{{Name: "shim program", Unit: "MiB", Bound: sizeMax}}})
}

// warmUp is the number of pairs that are done before those that count, of
// measures with many.
const warmUp = 2

// series is something that is measured in pairs, one run of ours and one of
// theirs.
type series struct {
	pairs int
	// f returns a value for each of the measures.
	f        func(ours bool) (sample, error)
	measures []*measure
	// peer is what theirs is; empty: the runtime to compare ours with.
	peer string
	// alone says that ours is of interest without anything to compare it with.
	alone bool
	// held says that its containers run until they are killed.
	held bool
}

// series measures ours and theirs in turn and adds the results to the report.
func (b *bench) series(r *report, s series) error {
	name := s.measures[0].Name
	if !strings.Contains(name, b.config.only) {
		return nil
	}
	compared := s.peer != "" || b.config.theirs != "" && (peerHolds || !s.held)
	if !compared && !s.alone {
		fmt.Fprintf(b.out, "%s: left out, there is no runtime to compare ours with\n", name)
		return nil
	}
	fmt.Fprintf(b.out, "%s …\n", name)
	who := func(ours bool) string {
		if !ours && s.peer != "" {
			return s.peer
		}
		return b.runtime(ours)
	}
	first := 0
	if s.pairs > warmUp {
		first = -warmUp
	}
	for i := first; i < s.pairs; i++ {
		// Who comes first changes from pair to pair: the kernel moves a process
		// between cgroups faster soon after it has done so for another.
		for _, ours := range []bool{i%2 == 0, i%2 != 0} {
			if !ours && !compared {
				continue
			}
			values, err := s.f(ours)
			if err != nil {
				return fmt.Errorf("%s with %s: %w", name, who(ours), err)
			}
			if i < 0 {
				continue
			}
			for k, m := range s.measures {
				m.add(ours, values[k])
			}
		}
	}
	r.add(s.peer, s.measures...)
	return nil
}

// add adds measures that have all their values.
func (r *report) add(peer string, measures ...*measure) {
	for _, m := range measures {
		m.Against = peer
		m.sum()
	}
	r.Measures = append(r.Measures, measures...)
}
