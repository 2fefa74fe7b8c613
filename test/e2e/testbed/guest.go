package testbed

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"jailshim/test/daemon"
	"jailshim/test/image"
)

// ImageName is the image that every [Space] has.
const ImageName = "e2e.test/guest:1"

var guest struct {
	once  sync.Once
	err   error
	dir   string
	lock  *os.File
	path  string // the program
	image []byte // the image, as a tar stream
}

// Guest builds the guest program, once, and returns its path.
func Guest() (string, error) {
	guest.once.Do(func() { guest.err = buildGuest() })
	return guest.path, guest.err
}

func buildGuest() (err error) {
	// Named and locked as a daemon's, so that it is swept like one.
	if guest.dir, err = os.MkdirTemp("", prefix); err != nil {
		return err
	}
	if guest.lock, err = lockOwner(guest.dir); err != nil {
		return err
	}
	if guest.path, err = Build(guest.dir, "guest", "./test/guest", "-trimpath", "-ldflags=-s -w"); err != nil {
		return err
	}
	binary, err := os.ReadFile(guest.path)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	platform := ocispec.Platform{OS: runtime.GOOS, Architecture: runtime.GOARCH}
	if err := image.Write(&b, ImageName, platform, image.Guest(binary)...); err != nil {
		return err
	}
	guest.image = b.Bytes()
	return nil
}

// Main runs a package's tests; TestMain calls it. shared is asked after the
// tests for the daemon that they shared, nil if none.
func Main(run func() int, shared func() *Daemon) int {
	before, err := hostWide()
	if err != nil {
		fmt.Fprintln(os.Stderr, "FAIL: what is on the host:", err)
		return 1
	}
	code := run()
	if d := shared(); d != nil {
		if err := d.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "FAIL:", err)
			code = max(code, 1)
		}
	}
	if guest.dir != "" {
		err := os.RemoveAll(guest.dir)
		if guest.lock != nil {
			err = errors.Join(err, guest.lock.Close())
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "testbed:", err)
		}
	}
	now, err := hostWide()
	if left := newOnHost(before, now); err != nil || len(left) > 0 {
		fmt.Fprintf(os.Stderr, "FAIL: new on the host after all tests: %q (%v)\n", left, err)
		code = max(code, 1)
	}
	return code
}

// hostWide returns the host's objects of that kind, none for users that may not
// look at them, whose tests make none.
func hostWide() ([]string, error) {
	if Root.Check() != nil {
		return nil, nil
	}
	return daemon.HostWide()
}
