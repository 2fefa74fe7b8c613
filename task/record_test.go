package task

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"jailshim/internal/wholefile"
)

// Two namespaces may use one id, and a namespace may look like the beginning of
// another.
func TestRecord_Namespaces_AreApart(t *testing.T) {
	dir := t.TempDir()
	for _, ns := range []string{"a", "a.b", "ab"} {
		if err := (&record{Namespace: ns, ID: "c", Bundle: ns}).write(dir); err != nil {
			t.Fatal(err)
		}
	}
	for _, ns := range []string{"a", "a.b", "ab"} {
		got, err := listRecords(dir, ns)
		if err != nil || len(got) != 1 || got[0].Bundle != ns {
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

func TestRecord_Exit_IsKnownOnceItIsThereAsAWhole(t *testing.T) {
	dir := t.TempDir()
	r := &record{Namespace: "ns", ID: "c", Shim: "s"}
	x := exit{Status: 3, At: time.Unix(1e9, 5).UTC()}
	if err := r.writeExit(dir, x); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the exit of a record that isn't there: %v", err)
	}
	if err := errors.Join(r.write(dir), r.writeExit(dir, x)); err != nil {
		t.Fatal(err)
	}
	got, err := readRecord(dir, "ns", "c")
	if err != nil || got.Exit == nil || *got.Exit != x || got.Shim != "s" {
		t.Errorf("got %+v, %v, want the exit %+v", got, err, x)
	}
	path := recordPath(dir, "ns", "c")
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	// A writer that was killed, or a file system that was full.
	if err := os.Truncate(path, fi.Size()-1); err != nil {
		t.Fatal(err)
	}
	if got, err := readRecord(dir, "ns", "c"); err != nil || got.Exit != nil || got.Shim != "s" {
		t.Errorf("half an exit: got %+v, %v", got, err)
	}
}

// A shim may be older than the program that removes what it has left.
func TestRecord_OfAnEarlierVersion_IsRead(t *testing.T) {
	dir := t.TempDir()
	path := recordPath(dir, "ns", "c")
	const text = `{"namespace":"ns","id":"c","bundle":"/b","shim":"s","options":{},"pid":7,"exit":{"status":9,"at":"2001-09-09T01:46:40Z"}}`
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
	got, err := readRecord(dir, "ns", "c")
	if err != nil || got.Bundle != "/b" || got.Exit == nil || got.Exit.Status != 9 || got.Exit.At.Unix() != 1e9 {
		t.Errorf("got %+v, %v", got, err)
	}
}
