package names

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Who reads the file in one call while it changes sees the old text or the new: FreeBSD
// lets no read and write of one range of a file overlap.
func TestRewrite_ReadersSeeWholeLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hosts")
	long, short := []byte(strings.Repeat("192.0.2.1\tlong\n", 300)), []byte("192.0.2.2\tshort\n")
	if err := rewrite(path, long); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Add(1)
	// goroutine: of the test; ends with stop; waited for below
	go func() {
		defer wg.Done()
		b := make([]byte, 64<<10)
		for {
			select {
			case <-stop:
				return
			default:
			}
			n, err := readOnce(path, b)
			if err != nil {
				t.Error(err)
				return
			}
			for line := range strings.Lines(string(b[:n])) {
				if line != "\n" && line != "192.0.2.1\tlong\n" && line != string(short) {
					t.Errorf("a reader sees the line %q", line)
					return
				}
			}
		}
	}()
	for range 200 {
		if err := errors.Join(rewrite(path, short), rewrite(path, long)); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	wg.Wait()
}

func readOnce(path string, b []byte) (int, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	n, err := f.Read(b)
	if errors.Is(err, io.EOF) {
		return 0, nil
	}
	return n, err
}
