// Package pattern is the byte stream that output tests send through a
// container: every 64 bytes of it say where in the stream they belong, so that
// loss, repetition and reordering are seen, and where.
package pattern

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// recordSize is the length of one line of the stream, the newline included. It
// divides the size of every pipe buffer, so that a lost buffer is a lost number
// of whole records and the message of Check can say which.
const recordSize = 64

// record returns the i-th line of the stream.
func record(i int64) []byte {
	return fmt.Appendf(make([]byte, 0, recordSize), "%016x the quick brown fox jumps over the lazy dog 0\n", i)[:recordSize:recordSize]
}

// Copy writes the first n bytes of the stream to w.
func Copy(w io.Writer, n int64) error {
	const chunk = 512 // records a write: 32 KiB
	buf := make([]byte, 0, chunk*recordSize)
	for i := int64(0); n > 0; {
		buf = buf[:0]
		for range chunk {
			buf = append(buf, record(i)...)
			i++
		}
		if int64(len(buf)) > n {
			buf = buf[:n]
		}
		written, err := w.Write(buf)
		if err != nil {
			return err
		}
		n -= int64(written)
	}
	return nil
}

// Check reads r to its end and returns nil if that was exactly the first n
// bytes of the stream. Otherwise the error says at which byte it went wrong and
// what was there instead.
func Check(r io.Reader, n int64) error {
	got := make([]byte, recordSize)
	for i := int64(0); ; i++ {
		want := record(i)
		if rest := n - i*recordSize; rest < recordSize {
			want = want[:max(rest, 0)]
		}
		read, err := io.ReadFull(r, got)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("read at byte %d: %w", i*recordSize+int64(read), err)
		}
		if !bytes.Equal(got[:read], want) {
			return fmt.Errorf("at byte %d of %d: got %q, want %q", i*recordSize, n, got[:read], want)
		}
		if read < recordSize {
			return nil
		}
	}
}
