package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
)

// send brings the suite's files to the machine. It has a store of files by their
// checksum, from which the suite's folder is made by links; so a file is sent
// once, whatever its name, and never half.
func (m *machine) send(ctx context.Context, t *suite) error {
	bySum := map[string]string{} // local paths
	sums := make([]string, len(t.files))
	for i, f := range t.files {
		sum, err := checksum(f.local)
		if err != nil {
			return err
		}
		sums[i], bySum[sum] = sum, f.local
	}
	store := m.dir + "/store"
	out, err := m.sh(ctx, fmt.Sprintf(`
mkdir -p %[1]s
if %[2]s; then
	echo "other tests are running there, process $pid: wait for their end, or end them" >&2
	exit 1
fi
ls %[1]s
`, quote(store), t.running()))
	if err != nil {
		return err
	}
	for _, have := range strings.Fields(out) {
		delete(bySum, have)
	}
	if len(bySum) > 0 {
		if err := m.fill(ctx, store, bySum); err != nil {
			return err
		}
	}
	_, err = m.sh(ctx, layOut(store, t, sums))
	return err
}

// layOut returns the script that makes the suite's folder anew.
func layOut(store string, t *suite, sums []string) string {
	var s strings.Builder
	fmt.Fprintf(&s, "rm -rf %s\n", quote(t.dir))
	dirs := map[string]bool{t.dir + "/logs": true}
	for _, f := range t.files {
		dirs[path.Dir(t.dir+"/"+f.name)] = true
	}
	for _, d := range slices.Sorted(maps.Keys(dirs)) {
		fmt.Fprintf(&s, "mkdir -p %s\n", quote(d))
	}
	for i, f := range t.files {
		fmt.Fprintf(&s, "ln %s %s\n", quote(store+"/"+sums[i]), quote(t.dir+"/"+f.name))
	}
	// What no suite has used for two days: others may be sending just now.
	fmt.Fprintf(&s, "find %s -type f -links 1 -mtime +2 -exec rm -f {} +\n", quote(store))
	return s.String()
}

func checksum(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// counter counts what is written.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// fill sends files to the store, all in one compressed stream.
func (m *machine) fill(ctx context.Context, store string, bySum map[string]string) error {
	in, w := io.Pipe()
	sent := &counter{w: w}
	var size int64
	packed := make(chan error, 1)
	// goroutine: of this function; ends when all is read, or the pipe is closed;
	// waited for below.
	go func() {
		var err error
		size, err = pack(sent, bySum)
		packed <- err
		w.CloseWithError(err)
	}()
	note("sending %d files", len(bySum))
	// The names in the stream are checksums; a file gets its own only when all of
	// it is on the disk: else a machine that loses its power is left with files that
	// are cut off, and taken for whole. The time is set so that none looks unused.
	script := fmt.Sprintf(`cd %s && rm -rf new.$$ && mkdir new.$$ && tar -xzmf - -C new.$$ && fsync new.$$/* && mv new.$$/* . && rmdir new.$$`, quote(store))
	err := m.pipe(ctx, "sh -c "+quote(script), in, io.Discard)
	in.CloseWithError(errors.New("the machine reads no more"))
	if err := errors.Join(err, <-packed); err != nil {
		return err
	}
	note("sent %.1f MB, compressed to %.1f MB", float64(size)/1e6, float64(sent.n)/1e6)
	return nil
}

// pack writes the files as a compressed tar stream, and returns their size.
func pack(w io.Writer, bySum map[string]string) (size int64, err error) {
	z := gzip.NewWriter(w)
	t := tar.NewWriter(z)
	for _, sum := range slices.Sorted(maps.Keys(bySum)) {
		n, err := packFile(t, sum, bySum[sum])
		if err != nil {
			return 0, err
		}
		size += n
	}
	return size, errors.Join(t.Close(), z.Close())
}

func packFile(t *tar.Writer, name, local string) (int64, error) {
	f, err := os.Open(local)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if err := t.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: info.Size(), Typeflag: tar.TypeReg}); err != nil {
		return 0, err
	}
	return io.Copy(t, f)
}
