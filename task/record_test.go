package task

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"jailshim/internal/wholefile"
)

// Two namespaces may use one id, and a namespace may look like the beginning of
// another.
func TestRecord_Namespaces_AreApart(t *testing.T) {
	dir := t.TempDir()
	for _, ns := range []string{"a", "a.b", "ab"} {
		if err := (&record{Namespace: ns, ID: "c", Pid: len(ns)}).write(dir); err != nil {
			t.Fatal(err)
		}
	}
	for _, ns := range []string{"a", "a.b", "ab"} {
		got, err := listRecords(dir, ns)
		if err != nil || len(got) != 1 || got[0].Pid != len(ns) {
			t.Errorf("%s: %v, %v", ns, got, err)
		}
	}
	if err := (&record{Namespace: "a", ID: "c"}).remove(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := readRecord(dir, "a", "c"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("removed record: %v", err)
	}
	if _, err := readRecord(dir, "ab", "c"); err != nil {
		t.Errorf("other record: %v", err)
	}
}

// The last container of one shim goes while the first of another comes.
func TestRecord_WritesAmongRemovals_AllSucceed(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r := &record{Namespace: "ns", ID: fmt.Sprint(i)}
			for range 200 {
				if err := errors.Join(r.write(dir), r.remove(dir)); err != nil {
					t.Error(err)
					return
				}
			}
		}()
	}
	wg.Wait()
}

// A shim that was killed in the middle of a write leaves nothing behind.
func TestRecord_HalfWritten_IsRemovedToo(t *testing.T) {
	dir := t.TempDir()
	r := &record{Namespace: "ns", ID: "c"}
	if err := r.write(dir); err != nil {
		t.Fatal(err)
	}
	tmp := recordPath(dir, "ns", "c") + wholefile.Suffix
	if err := os.WriteFile(tmp, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := listRecords(dir, "ns"); err != nil || len(got) != 1 {
		t.Errorf("records %v, %v; want the whole one", got, err)
	}
	if err := r.remove(dir); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(filepath.Join(dir, recordsDir))
	if err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}
