package ioctl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/containerd/errdefs"

	"jailshim/snapshotter-zfs/engine"
	"jailshim/snapshotter-zfs/nvlist"
)

// programs is a ZFS that keeps the first program until it is let go, and notes the names
// that each got.
type programs struct {
	letGo  chan struct{}
	result func(names []string) answer
	got    [][]string
}

func newPrograms(t *testing.T) (*programs, *Engine) {
	t.Helper()
	p := &programs{letGo: make(chan struct{}), result: func([]string) answer {
		return answer{dst: nvlist.List{{Name: "return", Value: nvlist.List{}}}}
	}}
	return p, opened(t, &fake{answer: func(number uint8, _ string, src nvlist.List) answer {
		if number != iocChannelProgram {
			return answer{} // the pool is there
		}
		if len(p.got) == 0 {
			<-p.letGo
		}
		args, _ := nvlist.Value[nvlist.List](src, "arg")
		names, _ := nvlist.Value[[]string](args, "names")
		origins, _ := nvlist.Value[[]string](args, "origins")
		props, _ := nvlist.Value[nvlist.List](args, "props")
		if len(origins) != len(names) || len(props) != len(names) {
			t.Errorf("%d names, %d origins, %d properties", len(names), len(origins), len(props))
		}
		p.got = append(p.got, names)
		return p.result(names)
	}})
}

// clone clones one after the other until all wait but the first, and lets that go.
func (p *programs) clone(t *testing.T, e *Engine, n int, ctx func(i int) context.Context, props map[string]string) []error {
	t.Helper()
	errs := make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { errs[i] = e.Clone(ctx(i), "p/a@1", fmt.Sprintf("p/c%d", i), props) })
		want := i // the first does not wait
		for deadline := time.Now().Add(10 * time.Second); waiting(e) != want; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d callers wait, want %d", waiting(e), want)
			}
		}
	}
	close(p.letGo)
	group.Wait()
	if len(e.clones.queues) != 0 {
		t.Errorf("there is still a queue: %+v", e.clones.queues)
	}
	return errs
}

// waiting is how many callers wait, or -1 if no program runs.
func waiting(e *Engine) int {
	e.clones.mu.Lock()
	defer e.clones.mu.Unlock()
	q := e.clones.queues["p"]
	if q == nil || len(q.waiting) > 0 && q.waiting[0].name == "p/c0" {
		return -1
	}
	return len(q.waiting)
}

func background(int) context.Context { return context.Background() }

func TestClone_ManyAtOnce_ShareAProgram(t *testing.T) {
	p, e := newPrograms(t)
	n := perProgram + 20
	if err := errors.Join(p.clone(t, e, n, background, map[string]string{"a:b": "c"})...); err != nil {
		t.Error(err)
	}
	if len(p.got) != 3 || len(p.got[0]) != 1 || len(p.got[1]) != perProgram || len(p.got[2]) != n-1-perProgram {
		t.Errorf("programs with %d names", lengths(p.got))
	}
	all := slices.Concat(p.got...)
	slices.Sort(all)
	if len(slices.Compact(all)) != n {
		t.Errorf("%d different names, want %d", len(all), n)
	}
}

func TestClone_LargeProperties_AreDividedUp(t *testing.T) {
	p, e := newPrograms(t)
	large := map[string]string{}
	for i := range 16 {
		large[fmt.Sprint("a:", i)] = strings.Repeat("x", engine.MaxPropValue)
	}
	if err := errors.Join(p.clone(t, e, 9, background, large)...); err != nil {
		t.Error(err)
	}
	if got := lengths(p.got); !slices.Equal(got, []int{1, 3, 3, 2}) {
		t.Errorf("programs with %d names", got)
	}
}

// What is wrong with one is not the others' business.
func TestClone_OneOfManyFails_OthersDoNot(t *testing.T) {
	p, e := newPrograms(t)
	p.result = func(names []string) answer {
		failed := nvlist.List{}
		if i := slices.Index(names, "p/c3"); i >= 0 {
			failed = append(failed, nvlist.Pair{Name: fmt.Sprint(i + 1), Value: nvlist.List{{Name: "err", Value: int64(syscall.EEXIST)}}})
		}
		return answer{dst: nvlist.List{{Name: "return", Value: failed}}}
	}
	ended, cancel := context.WithCancel(context.Background())
	errs := p.clone(t, e, 6, func(i int) context.Context {
		if i == 5 {
			defer cancel() // before its turn comes
			return ended
		}
		return context.Background()
	}, nil)
	for i, err := range errs {
		switch {
		case i == 3:
			wantError(t, "taken", err, errdefs.ErrAlreadyExists, `clone "p/c3": from "p/a@1"`)
		case i == 5:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("given up: %v", err)
			}
		case err != nil:
			t.Errorf("%d: %v", i, err)
		}
	}
	if got := lengths(p.got); !slices.Equal(got, []int{1, 4}) {
		t.Errorf("programs with %d names", got)
	}
}

func TestClone_NonsenseOfProgram_AllFail(t *testing.T) {
	one := nvlist.List{{Name: "err", Value: int64(2)}}
	for name, l := range map[string]nvlist.List{
		"no such name": {{Name: "7", Value: one}},
		"zero":         {{Name: "0", Value: one}},
		"no table":     {{Name: "1", Value: int64(2)}},
		"no errno":     {{Name: "1", Value: nvlist.List{}}},
		"no error":     {{Name: "1", Value: nvlist.List{{Name: "err", Value: int64(0)}}}},
	} {
		p, e := newPrograms(t)
		p.result = func([]string) answer { return answer{dst: nvlist.List{{Name: "return", Value: l}}} }
		for i, err := range p.clone(t, e, 3, background, nil) {
			wantError(t, name, err, errdefs.ErrInternal, fmt.Sprintf(`clone "p/c%d": a channel program gave`, i))
		}
	}
	p, e := newPrograms(t)
	p.result = func([]string) answer {
		return answer{errno: syscall.ENXIO, dst: nvlist.List{{Name: "error", Value: "memory limit"}}}
	}
	for i, err := range p.clone(t, e, 3, background, nil) {
		wantError(t, "failed", err, errdefs.ErrInternal, fmt.Sprintf(`clone "p/c%d": channel program: memory limit`, i))
	}
}

func lengths(lists [][]string) []int {
	n := make([]int, 0, len(lists))
	for _, l := range lists {
		n = append(n, len(l))
	}
	return n
}
