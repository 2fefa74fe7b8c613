package ioctl

import (
	"bytes"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"jailshim/internal/captured"
	"jailshim/snapshotter-zfs/engine"
	"jailshim/snapshotter-zfs/nvlist"
)

// received is a command as a kernel gave it back.
func received(tb testing.TB, cmd, dst string) *command {
	tb.Helper()
	c := &command{layout: &layoutFreeBSD, buf: append(captured.Bytes(tb, cmd), make([]byte, layoutFreeBSD.room-layoutFreeBSD.size)...)}
	if dst != "" {
		c.dst = captured.Bytes(tb, dst)
	}
	return c
}

func TestReply_Vectors(t *testing.T) {
	rep, err := received(t, vectorNextCmd, vectorNext).reply()
	if err != nil {
		t.Fatal(err)
	}
	if rep.name != "zroot/ct/p3" || rep.cookie != 0x12eb24f3 || rep.stats.kind != objsetFilesystem || rep.stats.snapshot {
		t.Errorf("%+v", rep)
	}
	d, err := fromStats(rep.name, rep)
	want := engine.Dataset{
		Name: "zroot/ct/p3", GUID: 14063756452465119562, CreateTXG: 234, Used: 24576, Referenced: 24576, Written: 24576, Available: 33529856,
		Mountpoint: "legacy", Props: map[string]string{"org.x:m": "v", "quota": "67108864", "refquota": "33554432"},
	}
	if err != nil || !reflect.DeepEqual(d, want) {
		t.Errorf("%v\ngot  %+v\nwant %+v", err, d, want)
	}

	rep, err = received(t, vectorNextSnapCmd, vectorNextSnap).reply()
	if err != nil {
		t.Fatal(err)
	}
	if rep.name != "zroot/ct/l/1@c" || rep.cookie != 0x1bb44828 || !rep.stats.snapshot {
		t.Errorf("%+v", rep)
	}
	d, err = fromStats(rep.name, rep)
	want = engine.Dataset{
		Name: "zroot/ct/l/1@c", Snapshot: true, GUID: 9741612312996902544, CreateTXG: 243, Referenced: 24576, Written: 24576,
		Clones: 43, Props: map[string]string{"org.x:layer": `{"v":1}`},
	}
	if err != nil || !reflect.DeepEqual(d, want) {
		t.Errorf("%v\ngot  %+v\nwant %+v", err, d, want)
	}
}

func TestReply_NoList(t *testing.T) {
	c := received(t, vectorExistsCmd, "")
	if !c.filled() || c.wanted() != 16 {
		t.Errorf("filled %v, %d bytes", c.filled(), c.wanted())
	}
	// The vector has only the structure. A list that is not there is no list.
	if rep, err := c.reply(); err == nil {
		t.Errorf("%+v, want an error", rep)
	}
	c.dst = []byte{0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}
	rep, err := c.reply()
	if err != nil || rep.name != "zroot/ct/l/1" || rep.dst == nil || len(rep.dst) != 0 {
		t.Errorf("%+v, %v", rep, err)
	}
}

func TestDecodeStats_Vector(t *testing.T) {
	b := captured.Bytes(t, vectorStatsStruct)
	got, err := decodeStats(b)
	want := stats{createTXG: 238, guid: 14810729225002163971, kind: objsetFilesystem}
	if err != nil || got != want {
		t.Errorf("%v\ngot  %+v\nwant %+v", err, got, want)
	}
	for n := range b {
		if got, err := decodeStats(b[:n]); err == nil {
			t.Fatalf("%d bytes: %+v, want an error", n, got)
		}
	}
	for i := range originSize {
		b[offOrigin+i] = 'x'
	}
	if got, err := decodeStats(b); err == nil {
		t.Errorf("an origin without its end: %+v", got)
	}
}

// Whatever a property is, what ZFS tells of a dataset is read or refused.
func TestFromStats_Incomplete_Fails(t *testing.T) {
	for _, name := range []string{vectorStats, vectorStatsSnap} {
		l, err := nvlist.Decode(captured.Bytes(t, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, missing := range []string{"used", "referenced", "available"} {
			var less nvlist.List
			for _, p := range l {
				if p.Name != missing {
					less = append(less, p)
				}
			}
			if d, err := fromStats("a", reply{dst: less}); err == nil || !strings.Contains(err.Error(), missing) {
				t.Errorf("%s without %q: %+v, %v", name, missing, d, err)
			}
		}
	}
}

func TestMountpoint(t *testing.T) {
	for _, c := range []struct{ name, value, source, want string }{
		{"p/a", "none", "p", "none"},
		{"p/a", "legacy", "p/a", "legacy"},
		{"p/a", "/mnt", "p/a", "/mnt"},
		{"p/a/b", "/mnt", "p/a", "/mnt/b"},
		{"p/a/b", "/", "p", "/a/b"},
		{"p/a/b", "/mnt", "$recvd", "/mnt"},
	} {
		told := nvlist.List{{Name: "value", Value: c.value}, {Name: "source", Value: c.source}}
		if got := mountpoint(c.name, told); got != c.want {
			t.Errorf("%s, %s from %s: %q, want %q", c.name, c.value, c.source, got, c.want)
		}
	}
	if got := mountpoint("p/a", nil); got != "/p/a" {
		t.Errorf("by default: %q", got)
	}
}

func TestNewCommand(t *testing.T) {
	for _, l := range []*layout{&layoutFreeBSD, &layoutLinux} {
		c, err := newCommand(l, request{name: "p/a", value: "io.test:k", src: nvlist.List{{Name: "a", Value: "b"}}, cookie: 7, deferDestroy: true, simple: true}, 100)
		if err != nil {
			t.Fatal(err)
		}
		c.setAddresses(0x1111, 0x2222)
		at := func(off int) uint64 { return le.Uint64(c.buf[off:]) }
		if len(c.buf) != l.room || l.room < l.size || !bytes.HasPrefix(c.buf, []byte("p/a\x00")) || !bytes.HasPrefix(c.buf[l.value:], []byte("io.test:k\x00")) ||
			at(l.nameSize) != 0x1111 || at(l.nameSize+8) != uint64(len(c.src)) || at(l.nameSize+16) != 0x2222 || at(l.nameSize+24) != 100 {
			t.Errorf("%d: % x", l.size, c.buf[:l.value])
		}
		// Counted from the end of a structure that is known to a compiler.
		if at(l.size-4528+3400) != 7 || c.buf[l.size-4528+4432] != 1 || c.buf[l.size-4528+4452] != 1 {
			t.Errorf("%d: cookie %d, defer %d, simple %d", l.size, at(l.size-4528+3400), c.buf[l.size-4528+4432], c.buf[l.size-4528+4452])
		}
		for _, r := range []request{{name: strings.Repeat("x", l.nameSize)}, {value: strings.Repeat("x", l.valueSize)}} {
			if _, err := newCommand(l, r, 0); err != syscall.ENAMETOOLONG { //nolint:errorlint // it is not wrapped
				t.Errorf("too long: %v", err)
			}
		}
	}
}

// A second entry of what no other test pins down on Linux.
func TestNumbers(t *testing.T) {
	want := []byte{15, 0, 0, 0, 0, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1, 0xb0, 0x11, 0, 0, 0, 0, 0, 0}
	if got := iocparm(&layoutFreeBSD, 0x0102030405060708); !bytes.Equal(got, want) {
		t.Errorf("zfs_iocparm_t\ngot  % x\nwant % x", got, want)
	}
	for _, c := range []struct {
		name      string
		got, want uint32
	}{
		{"OBJSET_STATS on FreeBSD", freebsdRequest | iocObjsetStats, 0xc0185a12},
		{"CHANNEL_PROGRAM on FreeBSD", freebsdRequest | iocChannelProgram, 0xc0185a48},
		{"OBJSET_STATS on Linux", linuxRequest | iocObjsetStats, 0x5a12},
		{"DATASET_LIST_NEXT", iocDatasetListNext, 0x14},
		{"SNAPSHOT_LIST_NEXT", iocSnapshotListNext, 0x15},
		{"SET_PROP", iocSetProp, 0x16},
		{"CREATE", iocCreate, 0x17},
		{"DESTROY", iocDestroy, 0x18},
		{"ROLLBACK", iocRollback, 0x19},
		{"SNAPSHOT", iocSnapshot, 0x23},
		{"INHERIT_PROP", iocInheritProp, 0x2b},
		{"CLONE", iocClone, 0x42},
	} {
		if c.got != c.want {
			t.Errorf("%s is %#x, want %#x", c.name, c.got, c.want)
		}
	}
}

// FuzzReply: whatever a kernel writes, a reply is read or refused.
func FuzzReply(f *testing.F) {
	f.Add(captured.Bytes(f, vectorNextCmd), captured.Bytes(f, vectorNext))
	f.Add(captured.Bytes(f, vectorNextSnapCmd), captured.Bytes(f, vectorNextSnap))
	f.Add(captured.Bytes(f, vectorExistsCmd), captured.Bytes(f, vectorSnapExists))
	f.Add(captured.Bytes(f, vectorExistsCmd), captured.Bytes(f, vectorBadProps))
	f.Add(captured.Bytes(f, vectorExistsCmd), captured.Bytes(f, vectorProgramFailed))
	f.Fuzz(func(t *testing.T, cmd, dst []byte) {
		c := &command{layout: &layoutFreeBSD, buf: make([]byte, layoutFreeBSD.room), dst: dst}
		copy(c.buf, cmd)
		rep, err := c.reply()
		if err != nil {
			return
		}
		d, err := fromStats(rep.name, rep)
		if err == nil && d.Props == nil {
			t.Error("no map of properties")
		}
	})
}
