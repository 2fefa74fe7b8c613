package locked

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"
)

func TestDo_WaitsForTheLock_UntilTheContextEnds(t *testing.T) {
	f, err := Open(t.TempDir() + "/a/b")
	if err != nil {
		t.Fatal(err)
	}
	held, leave, left := make(chan struct{}), make(chan struct{}), make(chan error)
	// goroutine: of the test; holds the lock until leave is closed; waited for by left
	go func() {
		left <- f.Do(context.Background(), func() error { close(held); <-leave; return nil })
	}()
	<-held
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := f.Do(ctx, func() error { t.Error("two hold the lock"); return nil }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	close(leave)
	if err := <-left; err != nil {
		t.Error(err)
	}
	// Whoever gave up gives back what it gets too late.
	ran := false
	if err := f.Do(t.Context(), func() error { ran = true; return nil }); err != nil || !ran {
		t.Errorf("afterwards: %v", err)
	}
	if err := f.Do(ctx, func() error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an ended context: %v", err)
	}
}

func TestReadWriteRemove(t *testing.T) {
	f, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	v := 7
	if err := f.Read("x", &v); err != nil || v != 7 {
		t.Errorf("none: %d, %v", v, err)
	}
	if err := f.Write("x", 8); err != nil {
		t.Fatal(err)
	}
	if !Has(f.Path("."), "x") || Has(f.Path("."), "y") || Has(f.Path("none"), "x") {
		t.Error("there is one file, x")
	}
	if err := f.Read("x", &v); err != nil || v != 8 {
		t.Errorf("got %d, %v", v, err)
	}
	if names, err := f.Names(); err != nil || len(names) != 1 || names[0] != "x" {
		t.Errorf("names %v, %v", names, err)
	}
	if err := errors.Join(f.Remove("x"), f.Remove("x")); err != nil {
		t.Error(err)
	}
	entries, err := os.ReadDir(f.Path("."))
	if err != nil || len(entries) != 0 {
		t.Errorf("left %v, %v", entries, err)
	}
}
