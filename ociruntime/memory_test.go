package ociruntime

import (
	"sync/atomic"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestContainer_MemoryLimit_LastOneInForce(t *testing.T) {
	resources := func(limit int64) *specs.LinuxResources {
		return &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &limit}}
	}
	k := &container{config: &Config{}}
	k.watchMemory(&specs.Spec{Linux: &specs.Linux{Resources: resources(4096)}}, nil)
	for _, step := range []struct {
		update *specs.LinuxResources
		want   uint64
	}{{nil, 4096}, {&specs.LinuxResources{}, 4096}, {&specs.LinuxResources{Memory: &specs.LinuxMemory{}}, 4096}, {resources(8192), 8192}, {resources(-1), 0}} {
		if k.setMemory(step.update); k.memory.Load() != step.want {
			t.Errorf("after %+v: limit %d, want %d", step.update, k.memory.Load(), step.want)
		}
	}
}

// Who hears of the exit first takes the container for one that somebody has killed.
func TestContainer_TellKills_AllToldWhenItReturns(t *testing.T) {
	var told atomic.Int64
	k := &container{oom: func() { told.Add(1) }}
	for n := int64(1); n <= 1000; n++ {
		k.noteKill()
		if k.tellKills(); told.Load() != n {
			t.Fatalf("%d of %d kills are told", told.Load(), n)
		}
	}
	if k.oomKills != 1000 {
		t.Errorf("%d kills are counted", k.oomKills)
	}
}
