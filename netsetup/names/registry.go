package names

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containerd/errdefs"

	"jailshim/netsetup/locked"
)

// Entry is what a container is found by.
type Entry struct {
	Owner string       `json:"owner"` // [A-Za-z0-9_-]+
	Addrs []netip.Addr `json:"addrs"`
	Names []string     `json:"names"`           // host name first, then aliases
	Extra []Host       `json:"extra,omitempty"` // lines that only this container sees
}

// Registry keeps the hosts files of networks: for network N, N.json has the entries,
// N.hosts is the file that all containers share, N.hosts.d has those of containers
// with lines of their own.
type Registry struct{ folder *locked.Folder }

const (
	hostsSuffix = ".hosts"
	ownSuffix   = ".hosts.d"
)

// OpenRegistry opens the registry in the folder dir, which it makes.
func OpenRegistry(dir string) (*Registry, error) {
	folder, err := locked.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("names of containers: %w", err)
	}
	return &Registry{folder: folder}, nil
}

// Set records an entry of a network, in place of the owner's former one, and brings
// the network's hosts files up to date in place: a file that is mounted somewhere
// keeps its inode. Containers of one name are all listed, the one first that was set
// first.
//
// It returns the path of the file that is the container's /etc/hosts: the network's,
// which many containers share and which must be mounted read-only, or one of its own
// if it has Extra lines.
func (r *Registry) Set(ctx context.Context, network string, e Entry) (path string, err error) {
	if err := e.check(); err != nil {
		return "", fmt.Errorf("name container %q in network %q: %w", e.Owner, network, err)
	}
	err = r.change(ctx, network, func(entries []Entry) ([]Entry, error) {
		if i := index(entries, e.Owner); i >= 0 {
			entries[i] = e
			return entries, nil
		}
		return append(entries, e), nil
	})
	if err != nil {
		return "", fmt.Errorf("name container %q in network %q: %w", e.Owner, network, err)
	}
	return r.path(network, e), nil
}

func (e Entry) check() error {
	if e.Owner == "" || strings.ContainsAny(e.Owner, "/.\x00") {
		return fmt.Errorf("%q is no name for a file: %w", e.Owner, errdefs.ErrInvalidArgument)
	}
	names := slices.Clone(e.Names)
	for _, h := range e.Extra {
		names = append(names, h.Names...)
		if !h.Addr.IsValid() || len(h.Names) == 0 {
			return fmt.Errorf("a line needs an address and a name: %w", errdefs.ErrInvalidArgument)
		}
	}
	for _, n := range names {
		if err := CheckName(n); err != nil {
			return err
		}
	}
	return nil
}

func (r *Registry) path(network string, e Entry) string {
	if len(e.Extra) == 0 {
		return r.folder.Path(network + hostsSuffix)
	}
	return filepath.Join(r.folder.Path(network+ownSuffix), e.Owner)
}

func index(entries []Entry, owner string) int {
	return slices.IndexFunc(entries, func(e Entry) bool { return e.Owner == owner })
}

// Remove drops an owner's entry. One that is not there is no error.
func (r *Registry) Remove(ctx context.Context, network, owner string) error {
	err := r.change(ctx, network, func(entries []Entry) ([]Entry, error) {
		if i := index(entries, owner); i >= 0 {
			return slices.Delete(entries, i, i+1), nil
		}
		return nil, errUnchanged
	})
	if err != nil {
		return fmt.Errorf("remove the names of container %q in network %q: %w", owner, network, err)
	}
	return nil
}

// List returns the entries of a network, in the order in which they were first set.
func (r *Registry) List(ctx context.Context, network string) ([]Entry, error) {
	var list []Entry
	err := r.change(ctx, network, func(entries []Entry) ([]Entry, error) {
		list = entries
		return nil, errUnchanged
	})
	if err != nil {
		return nil, fmt.Errorf("names in network %q: %w", network, err)
	}
	return list, nil
}

// Sweep drops the entries of owners that are not alive, in all networks, and returns
// them. alive is called with the registry locked.
func (r *Registry) Sweep(ctx context.Context, alive func(owner string) bool) ([]Entry, error) {
	networks, err := r.folder.Names()
	if err != nil {
		return nil, fmt.Errorf("sweep names: %w", err)
	}
	var swept []Entry
	for _, network := range networks {
		err := r.change(ctx, network, func(entries []Entry) ([]Entry, error) {
			var dead []Entry
			left := slices.DeleteFunc(slices.Clone(entries), func(e Entry) bool {
				if alive(e.Owner) {
					return false
				}
				dead = append(dead, e)
				return true
			})
			if len(dead) == 0 {
				return nil, errUnchanged
			}
			swept = append(swept, dead...)
			return left, nil
		})
		if err != nil {
			return swept, fmt.Errorf("sweep the names of network %q: %w", network, err)
		}
	}
	return swept, nil
}

// Forget removes the files of a network. One with entries is FailedPrecondition.
func (r *Registry) Forget(ctx context.Context, network string) error {
	err := r.folder.Do(ctx, func() error {
		entries, err := r.read(network)
		if err != nil {
			return err
		}
		if len(entries) > 0 {
			return fmt.Errorf("%d containers are named in it, %q for one: %w", len(entries), entries[0].Owner, errdefs.ErrFailedPrecondition)
		}
		if err := os.RemoveAll(r.folder.Path(network + ownSuffix)); err != nil {
			return err
		}
		if err := os.Remove(r.folder.Path(network + hostsSuffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return r.folder.Remove(network)
	})
	if err != nil {
		return fmt.Errorf("forget the names of network %q: %w", network, err)
	}
	return nil
}

// errUnchanged is what an edit returns that changed nothing.
var errUnchanged = errors.New("unchanged")

// change calls edit with the entries of a network, and writes the entries that it
// returns and all files that follow from them. The record is written last: a process
// that dies in between leaves files that the next change makes right.
func (r *Registry) change(ctx context.Context, network string, edit func([]Entry) ([]Entry, error)) error {
	return r.folder.Do(ctx, func() error {
		entries, err := r.read(network)
		if err != nil {
			return err
		}
		before := slices.Clone(entries)
		entries, err = edit(entries)
		if errors.Is(err, errUnchanged) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := r.writeHosts(network, entries); err != nil {
			return err
		}
		if err := r.dropHosts(network, before, entries); err != nil {
			return err
		}
		return r.folder.Write(network, entries)
	})
}

func (r *Registry) read(network string) ([]Entry, error) {
	var entries []Entry
	if err := r.folder.Read(network, &entries); err != nil {
		return nil, err
	}
	return entries, nil
}

// writeHosts brings all files of a network up to date.
func (r *Registry) writeHosts(network string, entries []Entry) error {
	var lines []Host
	for _, e := range entries {
		for _, a := range e.Addrs {
			if len(e.Names) > 0 {
				lines = append(lines, Host{Addr: a, Names: e.Names})
			}
		}
	}
	if err := rewrite(r.folder.Path(network+hostsSuffix), Hosts(lines)); err != nil {
		return err
	}
	for _, e := range entries {
		if len(e.Extra) == 0 {
			continue
		}
		if err := os.MkdirAll(r.folder.Path(network+ownSuffix), 0o755); err != nil {
			return err
		}
		if err := rewrite(r.path(network, e), Hosts(append(slices.Clone(lines), e.Extra...))); err != nil {
			return err
		}
	}
	return nil
}

// dropHosts removes the files of containers that no longer have lines of their own.
func (r *Registry) dropHosts(network string, before, after []Entry) error {
	for _, e := range before {
		if i := index(after, e.Owner); len(e.Extra) == 0 || i >= 0 && len(after[i].Extra) > 0 {
			continue
		}
		if err := os.Remove(r.path(network, e)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// rewrite gives a file new contents without replacing it. One write puts the new text
// and blank lines over the rest of the old; the file is cut only then, so that no
// reader sees a line's end without its beginning.
func rewrite(path string, text []byte) (err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	padded := text
	for int64(len(padded)) < info.Size() {
		padded = append(padded, '\n')
	}
	if _, err := f.WriteAt(padded, 0); err != nil {
		return err
	}
	if len(padded) == len(text) {
		return nil
	}
	return f.Truncate(int64(len(text)))
}
