package kernel

import (
	"bytes"
	"errors"
	"testing"

	"jailshim/internal/captured"
)

func TestDecodePTYSlave(t *testing.T) {
	b := captured.Bytes(t, vectorPTY)
	if got, err := decodePTYSlave(b); err != nil || got != "/dev/pts/0" {
		t.Errorf("got %q, %v, want /dev/pts/0", got, err)
	}
	for n := range b {
		if got, err := decodePTYSlave(b[:n]); !errors.Is(err, ErrLayout) {
			t.Errorf("the first %d bytes: %q, %v, want ErrLayout", n, got, err)
		}
	}
	if got, err := decodePTYSlave([]byte{255, 255, 255, 255}); !errors.Is(err, ErrLayout) {
		t.Errorf("number -1: %q, %v, want ErrLayout", got, err)
	}
}

func TestEncodeWinsize(t *testing.T) {
	if got, want := encodeWinsize(40, 132), []byte{40, 0, 132, 0, 0, 0, 0, 0}; !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}
