package task

import (
	"log/slog"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"jailshim/task/stdio"
)

// terminal returns an IO with a terminal, and a function that tells its size.
func terminal(t *testing.T) (*stdio.IO, func() winsize) {
	t.Helper()
	master, err := openMaster()
	if err != nil {
		t.Fatal(err)
	}
	io, err := stdio.Open(ctx, stdio.Config{Terminal: true}, newWorld(t), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(io.Close)
	io.Attach(master)
	raw, err := master.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	return io, func() winsize {
		var (
			ws  *unix.Winsize
			err error
		)
		if cerr := raw.Control(func(fd uintptr) { ws, err = unix.IoctlGetWinsize(int(fd), unix.TIOCGWINSZ) }); cerr != nil || err != nil {
			t.Fatal(cerr, err)
		}
		return winsize{ws.Col, ws.Row}
	}
}

// A client that resizes its terminal while the process gets its streams is left with a
// program that draws for another size.
func TestProcess_ResizeDuringSetIO_NewestWins(t *testing.T) {
	io, size := terminal(t)
	c := &container{}
	older, newer := winsize{80, 24}, winsize{132, 43}
	// Others who use the IO make each call of it wait.
	stop := make(chan struct{})
	var busy sync.WaitGroup
	for range 4 {
		// goroutine: of this test; ends when it does; waited for by it.
		busy.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_ = io.Child()
				}
			}
		})
	}
	defer busy.Wait()
	defer close(stop)
	for i := range 500 {
		p := newProcess(c, "e", stdio.Config{Terminal: true}, nil, slog.New(slog.DiscardHandler))
		if err := p.resize(older); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() { p.setIO(io) })
		wg.Go(func() {
			if err := p.resize(newer); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		if got := size(); got != newer {
			t.Fatalf("try %d: size %v, want %v", i, got, newer)
		}
	}
}
