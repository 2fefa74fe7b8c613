package locked

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"jailshim/internal/flock"
	"jailshim/internal/wholefile"
)

const (
	lockName = "lock"
	suffix   = ".json"
)

// Folder is a folder of files with a lock.
type Folder struct{ dir string }

// Open makes the folder if it is not there.
func Open(dir string) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return &Folder{dir: dir}, nil
}

// Has reports whether the folder dir, which need not be there, has a file of a name. It
// needs no lock.
func Has(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name+suffix))
	return !errors.Is(err, fs.ErrNotExist)
}

// Path returns the path of a name in the folder.
func (f *Folder) Path(name string) string { return filepath.Join(f.dir, name) }

// Do calls change while it holds the lock, which excludes other processes and other
// goroutines. It waits for the lock until ctx ends.
func (f *Folder) Do(ctx context.Context, change func() error) (err error) {
	unlock, err := f.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return change()
}

func (f *Folder) lock(ctx context.Context) (func(), error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("lock %s: %w", f.Path(lockName), err)
	}
	file, err := os.OpenFile(f.Path(lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	unlock := func() { _ = flock.Close(file) }
	err = flock.Lock(file, unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return unlock, nil
	}
	if !errors.Is(err, unix.EWOULDBLOCK) {
		file.Close()
		return nil, err
	}
	done := make(chan error, 1)
	// goroutine: of this call; ends when the lock is free; not waited for if ctx ends first
	go func() { done <- flock.Lock(file, unix.LOCK_EX) }()
	select {
	case err := <-done:
		if err != nil {
			file.Close()
			return nil, err
		}
		return unlock, nil
	case <-ctx.Done():
		// goroutine: of the one above; gives back the lock that nobody wants any more
		go func() {
			if <-done == nil {
				unlock()
			}
		}()
		return nil, fmt.Errorf("wait for the lock %s, which another process holds: %w", f.Path(lockName), ctx.Err())
	}
}

// Read reads the file of a name into v, which it leaves as it is if there is none.
// The caller holds the lock.
func (f *Folder) Read(name string, v any) error {
	b, err := os.ReadFile(f.Path(name + suffix))
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(b) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s is damaged: %w: remove it while no container runs", f.Path(name+suffix), err)
	}
	return nil
}

// Write replaces the file of a name. The caller holds the lock.
func (f *Folder) Write(name string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return wholefile.Write(f.Path(name+suffix), append(b, '\n'), 0o600)
}

// Remove removes the file of a name; none is no error. The caller holds the lock.
func (f *Folder) Remove(name string) error {
	return wholefile.Remove(f.Path(name + suffix))
}

// Names returns the names of the files, sorted.
func (f *Folder) Names() ([]string, error) {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), suffix); ok && !e.IsDir() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}
