package ioctl

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/containerd/errdefs"

	"jailshim/snapshotter-zfs/engine"
	"jailshim/snapshotter-zfs/nvlist"
)

// fake is a ZFS that gives prepared answers.
type fake struct {
	t      *testing.T
	answer func(number uint8, name string, src nvlist.List) answer
	calls  []uint8
	closed int
}

// answer is what one call gives.
type answer struct {
	errno syscall.Errno
	dst   nvlist.List // nil: none
	raw   []byte      // instead of dst
	kind  uint32
}

func (f *fake) layout() *layout { return &layoutFreeBSD }

func (f *fake) close() error {
	f.closed++
	return nil
}

func (f *fake) call(number uint8, c *command) syscall.Errno {
	f.t.Helper()
	f.calls = append(f.calls, number)
	name, _ := cString(c.buf)
	var src nvlist.List
	if len(c.src) > 0 {
		var err error
		if src, err = nvlist.Decode(c.src); err != nil {
			f.t.Errorf("request %#x: %v", number, err)
		}
	}
	a := f.answer(number, name, src)
	le.PutUint32(c.buf[c.layout.tail+offStats+offKind:], a.kind)
	raw := a.raw
	if a.dst != nil {
		var err error
		if raw, err = nvlist.Encode(a.dst); err != nil {
			f.t.Error(err)
		}
	}
	if raw == nil || len(c.dst) == 0 {
		return a.errno
	}
	le.PutUint64(c.buf[c.layout.head+offDstSize:], uint64(len(raw)))
	if len(raw) > len(c.dst) {
		return syscall.ENOMEM
	}
	copy(c.dst, raw)
	le.PutUint32(c.buf[c.layout.head+offDstFilled:], 1)
	return a.errno
}

// opened is an engine on a fake with channel programs.
func opened(t *testing.T, f *fake) *Engine {
	t.Helper()
	f.t = t
	then := f.answer
	f.answer = func(uint8, string, nvlist.List) answer {
		return answer{dst: nvlist.List{{Name: "return", Value: nvlist.List{{Name: "clone", Value: true}}}}}
	}
	e, err := open(f, "p")
	if err != nil {
		t.Fatal(err)
	}
	f.answer, f.calls = then, nil
	return e
}

func wantError(t *testing.T, what string, err, class error, text string) {
	t.Helper()
	var e *engine.Error
	if !errors.As(err, &e) || !errors.Is(err, class) || !strings.Contains(err.Error(), text) {
		t.Errorf("%s: %v, want %v and %q", what, err, class, text)
	}
}

func TestOpen_Probes(t *testing.T) {
	returns := func(l nvlist.List) answer { return answer{dst: nvlist.List{{Name: "return", Value: l}}} }
	for _, c := range []struct {
		name            string
		stats, program  answer
		class           error
		programs, clone bool
	}{
		{"2.4", answer{}, returns(nvlist.List{{Name: "clone", Value: true}}), nil, true, true},
		{"2.2", answer{}, returns(nvlist.List{{Name: "clone", Value: false}}), nil, true, false},
		{"0.7", answer{}, answer{errno: 1029}, nil, false, false},
		{"not root", answer{}, answer{errno: syscall.EPERM}, nil, false, false},
		{"no pool", answer{errno: syscall.ENOENT}, answer{}, errdefs.ErrUnavailable, false, false},
		{"suspended", answer{}, answer{errno: syscall.EAGAIN}, errdefs.ErrUnavailable, false, false},
		{"failing", answer{}, answer{errno: syscall.ENXIO, dst: nvlist.List{{Name: "error", Value: "boom\nstack traceback"}}}, errdefs.ErrInternal, false, false},
		{"no table", answer{}, answer{dst: nvlist.List{}}, errdefs.ErrInternal, false, false},
		{"nonsense", answer{}, answer{raw: []byte("nonsense")}, errdefs.ErrInternal, false, false},
	} {
		f := &fake{t: t, answer: func(number uint8, _ string, _ nvlist.List) answer {
			if number == iocObjsetStats {
				return c.stats
			}
			return c.program
		}}
		e, err := open(f, "p")
		if c.class != nil {
			wantError(t, c.name, err, c.class, "open \"p\"")
			if f.closed != 1 {
				t.Errorf("%s: closed %d times", c.name, f.closed)
			}
			continue
		}
		if err != nil || e.caps.Programs != c.programs || e.caps.CloneInProgram != c.clone {
			t.Errorf("%s: %v, %+v", c.name, err, e)
		}
	}
}

// A reply that does not fit is asked for again, with room for what it needs.
func TestExchange_TooSmall_Again(t *testing.T) {
	large := strings.Repeat("x", 3*firstDst)
	f := &fake{t: t, answer: func(uint8, string, nvlist.List) answer { return answer{dst: nvlist.List{{Name: "a", Value: large}}} }}
	rep, errno, err := exchange(f, request{number: iocObjsetStats, name: "p", dstSize: firstDst})
	if got, _ := nvlist.Value[string](rep.dst, "a"); err != nil || errno != 0 || got != large || len(f.calls) != 2 {
		t.Errorf("%d bytes, %v, %v, %d calls", len(got), errno, err, len(f.calls))
	}
	// What has done its work is not done twice.
	f.calls = nil
	if _, errno, err := exchange(f, request{number: iocChannelProgram, name: "p", dstSize: firstDst, fixed: true}); errno != syscall.ENOMEM || err != nil || len(f.calls) != 1 {
		t.Errorf("%v, %v, %d calls", errno, err, len(f.calls))
	}
	// ZFS that is never content.
	f.calls = nil
	f.answer = func(uint8, string, nvlist.List) answer { return answer{errno: syscall.ENOMEM} }
	if _, errno, err := exchange(f, request{number: iocObjsetStats, name: "p", dstSize: firstDst}); errno != syscall.ENOMEM || err != nil || len(f.calls) > 12 {
		t.Errorf("%v, %v, %d calls", errno, err, len(f.calls))
	}
}

func TestDestroy_InGroups(t *testing.T) {
	var got [][]string
	f := &fake{answer: func(number uint8, name string, src nvlist.List) answer {
		if number != iocChannelProgram {
			return answer{}
		}
		args, _ := nvlist.Value[nvlist.List](src, "arg")
		names, _ := nvlist.Value[[]string](args, "names")
		if sync, _ := nvlist.Value[bool](src, "sync"); !sync || engine.Pool(names[0]) != name {
			t.Errorf("in %q: %+v", name, src)
		}
		got = append(got, names)
		// The second of each group is busy.
		return answer{dst: nvlist.List{{Name: "return", Value: nvlist.List{{Name: "2", Value: int64(syscall.EBUSY)}}}}}
	}}
	e := opened(t, f)
	var names []string
	for range perProgram + 5 {
		names = append(names, "p/a")
	}
	names[1], names[perProgram+1] = "p/first", "p/second"
	names = append(names, "q/a", "q/third", "q/b")
	err := e.Destroy(context.Background(), names, false)
	var batch *engine.BatchError
	if !errors.As(err, &batch) || len(batch.Failed) != 3 || len(got) != 3 || len(got[0]) != perProgram || len(got[1]) != 5 || len(got[2]) != 3 {
		t.Fatalf("%v, %d groups", err, len(got))
	}
	for i, name := range []string{"p/first", "p/second", "q/third"} {
		if one := batch.Failed[i]; one.Object != name {
			t.Errorf("%d is %v", i, one)
		}
		wantError(t, name, batch.Failed[i], errdefs.ErrFailedPrecondition, "mounted or has snapshots")
	}
}

// A program that says what it cannot say, or fails, blames all its names.
func TestDestroy_NonsenseOfProgram_AllFail(t *testing.T) {
	for name, a := range map[string]answer{
		"no such name": {dst: nvlist.List{{Name: "return", Value: nvlist.List{{Name: "3", Value: int64(16)}}}}},
		"not a number": {dst: nvlist.List{{Name: "return", Value: nvlist.List{{Name: "1", Value: "x"}}}}},
		"zero":         {dst: nvlist.List{{Name: "return", Value: nvlist.List{{Name: "0", Value: int64(16)}}}}},
		"no table":     {dst: nvlist.List{{Name: "return", Value: int64(0)}}},
		"failed":       {errno: syscall.ENXIO, dst: nvlist.List{{Name: "error", Value: "I/O error"}}},
	} {
		e := opened(t, &fake{answer: func(uint8, string, nvlist.List) answer { return a }})
		var batch *engine.BatchError
		if err := e.Destroy(context.Background(), []string{"p/a", "p/b"}, false); !errors.As(err, &batch) || len(batch.Failed) != 2 || !errdefs.IsInternal(batch.Failed[1]) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestErrors_NameWhatIsWrong(t *testing.T) {
	ctx := context.Background()
	f := &fake{}
	e := opened(t, f)
	f.answer = func(number uint8, name string, _ nvlist.List) answer {
		switch {
		case number == iocObjsetStats && name == "p":
			return answer{} // the pool is there
		case number == iocSnapshot:
			return answer{errno: syscall.EEXIST, dst: nvlist.List{{Name: "p/b@1", Value: int32(syscall.EEXIST)}}}
		case number == iocCreate:
			return answer{errno: syscall.EINVAL, dst: nvlist.List{{Name: "compression", Value: int32(syscall.EINVAL)}}}
		case number == iocChannelProgram:
			return answer{dst: nvlist.List{{Name: "return", Value: nvlist.List{{Name: "1", Value: nvlist.List{{Name: "err", Value: int64(syscall.E2BIG)}, {Name: "prop", Value: "a:b"}}}}}}}
		case number == iocRollback:
			return answer{errno: syscall.ESRCH}
		}
		return answer{errno: syscall.ENOENT}
	}
	user := map[string]string{"a:b": "c"}
	wantError(t, "snapshot", e.Snapshot(ctx, []string{"p/a@1", "p/b@1"}, nil), errdefs.ErrAlreadyExists, `snapshot "p/b@1": `)
	wantError(t, "create", e.Create(ctx, "p/a", map[string]string{"compression": "on"}), errdefs.ErrInvalidArgument, `create "p/a": property "compression": `)
	wantError(t, "clone", e.Clone(ctx, "p/a@1", "p/c", user), errdefs.ErrInvalidArgument, `clone "p/c": from "p/a@1": property "a:b": `)
	wantError(t, "clone", e.Clone(ctx, "p/a@1", "p/c", map[string]string{"refquota": "1"}), errdefs.ErrNotFound, `from "p/a@1"`)
	wantError(t, "clone from another pool", e.Clone(ctx, "q/a@1", "p/c", nil), errdefs.ErrNotFound, `from "q/a@1"`)
	wantError(t, "rollback", e.Rollback(ctx, "p/a", "p/a@1"), errdefs.ErrNotFound, `no snapshot "p/a@1"`)
	wantError(t, "no pool", e.Create(ctx, "p/a", map[string]string{"a": "b"}), errdefs.ErrInvalidArgument, `property "a"`)
	_, err := e.Get(ctx, "q/a")
	wantError(t, "no pool", err, errdefs.ErrUnavailable, `pool "q" is not imported; see zpool-import(8)`)
	_, err = e.List(ctx, "p/v")
	wantError(t, "missing", err, errdefs.ErrNotFound, `list "p/v"`)
}

// ZFS that lists without end, or something else, is not followed.
func TestList_Nonsense_Fails(t *testing.T) {
	props := nvlist.List{}
	for _, name := range []string{"used", "referenced", "available"} {
		props = append(props, nvlist.Pair{Name: name, Value: nvlist.List{{Name: "value", Value: uint64(1)}}})
	}
	for _, a := range []answer{{kind: objsetFilesystem, dst: props}, {kind: objsetFilesystem, raw: []byte("nonsense")}, {errno: syscall.EIO}} {
		f := &fake{}
		e := opened(t, f)
		f.answer = func(number uint8, _ string, _ nvlist.List) answer {
			if number == iocObjsetStats {
				return answer{kind: objsetFilesystem, dst: props}
			}
			return a
		}
		_, err := e.List(context.Background(), "p/a")
		wantError(t, "list", err, errdefs.ErrInternal, "list \"p/a\"")
	}
}

func TestSetProps_OneCall(t *testing.T) {
	f := &fake{}
	e := opened(t, f)
	var sent nvlist.List
	f.answer = func(number uint8, _ string, src nvlist.List) answer {
		if number == iocSetProp {
			sent = src
		}
		return answer{}
	}
	err := e.SetProps(context.Background(), "p/a", map[string]string{"a:b": "c", "quota": "", "atime": "off", "exec": "", "d:e": "", "compression": "zstd-3", "mountpoint": "/m"})
	want := nvlist.List{{Name: "a:b", Value: "c"}, {Name: "atime", Value: uint64(0)}, {Name: "compression", Value: uint64(16 | 3<<7)}, {Name: "mountpoint", Value: "/m"}, {Name: "quota", Value: uint64(0)}}
	if err != nil || !reflect.DeepEqual(sent, want) || !reflect.DeepEqual(f.calls, []uint8{iocSetProp, iocInheritProp, iocInheritProp}) {
		t.Errorf("%v, calls %#x\ngot  %+v\nwant %+v", err, f.calls, sent, want)
	}
}

func TestOpenError_SaysWhatToDo(t *testing.T) {
	wantError(t, "no device", openError("p", syscall.ENOENT), errdefs.ErrUnavailable, "kldload zfs")
	wantError(t, "not root", openError("p", syscall.EACCES), errdefs.ErrPermissionDenied, device)
	wantError(t, "no system", openError("p", engine.ErrUnsupported), errdefs.ErrNotImplemented, "cannot be used")
}
