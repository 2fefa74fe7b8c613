package main

import (
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

// memoryMeasures are the parts of a memory sample.
func memoryMeasures(when string) []*measure {
	return []*measure{
		{Name: when + ": resident", Unit: "MiB", Bound: idleMax},
		{Name: when + ": resident, private", Unit: "MiB"},
		{Name: when + ": resident, of files", Unit: "MiB"},
		{Name: when + ": proportional", Unit: "MiB"},
	}
}

// measure does everything, in order.
func (b *bench) measure() (*report, error) {
	r := &report{
		Date: time.Now().UTC().Format(time.DateOnly), OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(),
		Kernel: kernel(), Snapshotter: b.snapshotter, Ours: b.config.ours, Theirs: b.config.theirs,
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
	for _, s := range []struct {
		pairs    int
		f        func(string) (sample, error)
		measures []*measure
	}{
		{n, b.ctrRun, []*measure{{Name: "ctr run --rm, true", Unit: "ms", Bound: notSlower}}},
		{n, b.clientRun, []*measure{{Name: "client: create to delete, true", Unit: "ms", Bound: notSlower}}},
		{rounds, b.ctrParallel, []*measure{{Name: fmt.Sprintf("ctr run --rm, %d at once", p), Unit: "ms"}}},
		{rounds, b.clientParallel, []*measure{{Name: fmt.Sprintf("client: create to delete, %d at once", p), Unit: "ms"}}},
		{rounds, b.idle, memoryMeasures("idle shim")},
		{rounds, b.growth, []*measure{{Name: "each further container of a pod: resident", Unit: "MiB", Bound: growthMax}}},
	} {
		if err := b.series(r, s.pairs, both(s.f), s.measures...); err != nil {
			return nil, err
		}
	}
	// An exec is so short that chance weighs more.
	if err := b.execs(r, 3*n); err != nil {
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
func (b *bench) execs(r *report, n int) error {
	services := map[bool]*service{}
	for _, ours := range []bool{true, false} {
		s, err := b.start(b.runtime(ours))
		if err != nil {
			return err
		}
		services[ours] = s
	}
	err := b.series(r, n, func(ours bool) (sample, error) { return services[ours].ctrExec() },
		&measure{Name: "ctr task exec, true", Unit: "ms", Bound: notSlower})
	if err != nil {
		return err
	}
	err = b.series(r, n, func(ours bool) (sample, error) { return services[ours].clientExec() },
		&measure{Name: "client: exec to delete, true", Unit: "ms", Bound: notSlower})
	if err != nil {
		return err
	}
	// One reading: a second one would be of the same two processes.
	err = b.series(r, 1, func(ours bool) (sample, error) {
		m, err := services[ours].settled()
		return m.sample()[:1], err
	}, &measure{Name: "shim after these execs: resident", Unit: "MiB", Bound: idleMax})
	if err != nil {
		return err
	}
	for _, s := range services {
		if err := s.remove(); err != nil {
			return err
		}
	}
	return nil
}

// sizes compares the shims' programs.
func (b *bench) sizes(r *report) error {
	return b.series(r, 1, func(ours bool) (sample, error) {
		program, err := b.daemon.Program(shimProgram(b.runtime(ours)))
		if err != nil {
			return nil, err
		}
		info, err := os.Stat(program)
		if err != nil {
			return nil, err
		}
		return sample{float64(info.Size()) / mebibyte}, nil
	}, &measure{Name: "shim program", Unit: "MiB", Bound: sizeMax})
}

// warmUp is the number of pairs that are done before those that count, of
// measures with many.
const warmUp = 2

// series measures ours and theirs in turn and adds the results to the report. f
// returns a value for each of the measures.
func (b *bench) series(r *report, pairs int, f func(ours bool) (sample, error), measures ...*measure) error {
	if !strings.Contains(measures[0].Name, b.config.only) {
		return nil
	}
	fmt.Fprintf(b.out, "%s …\n", measures[0].Name)
	first := 0
	if pairs > warmUp {
		first = -warmUp
	}
	for i := first; i < pairs; i++ {
		// Who comes first changes from pair to pair: the kernel moves a process
		// between cgroups faster soon after it has done so for another.
		for _, ours := range []bool{i%2 == 0, i%2 != 0} {
			values, err := f(ours)
			if err != nil {
				return fmt.Errorf("%s with %s: %w", measures[0].Name, b.runtime(ours), err)
			}
			if i < 0 {
				continue
			}
			for k, m := range measures {
				m.add(ours, values[k])
			}
		}
	}
	for _, m := range measures {
		m.sum()
	}
	r.Measures = append(r.Measures, measures...)
	return nil
}
