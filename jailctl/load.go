package jailctl

import (
	"errors"
	"fmt"
	"time"

	"github.com/containerd/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"jailshim/jailctl/kernel"
)

// StatePaused is the status of a paused container; the specification leaves it
// to runtimes, and runc spells it so.
const StatePaused specs.ContainerState = "paused"

// Load returns a container that another process has made. One that isn't there
// is an error wrapping errdefs.ErrNotFound.
func (r *Runtime) Load(id string) (*Container, error) {
	name := r.name(id)
	st, err := r.store.read(name)
	if err != nil {
		if errdefs.IsNotFound(err) {
			return nil, fmt.Errorf("container %q does not exist: %w", id, errdefs.ErrNotFound)
		}
		return nil, err
	}
	return r.loaded(name, st), nil
}

func (r *Runtime) loaded(name string, st *State) *Container {
	return &Container{rt: r, name: name, state: *st, detached: true, execs: make(map[int]struct{})}
}

// Exists reports whether the container is still there: it is not if it was removed,
// whoever has its name since.
func (k *Container) Exists() (bool, error) {
	st, err := k.rt.store.read(k.name)
	if errdefs.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return st.Init == k.state.Init && st.Created.Equal(k.state.Created), nil
}

// removeEmpty removes a container's folder that has no state, unless somebody is about to
// make the container. With dry it only says whether it would.
func (r *Runtime) removeEmpty(name string, dry bool) (bool, error) {
	if r.store.young(name) {
		return false, nil
	}
	if dry {
		return true, nil
	}
	l, err := r.store.lock(name, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	// It may have been made anew meanwhile.
	if _, err := r.store.read(name); !errdefs.IsNotFound(err) || r.store.young(name) {
		return false, l.Unlock()
	}
	err = r.store.remove(name)
	return err == nil, errors.Join(err, l.Unlock())
}

// RemoveFolder removes the folder of a container that has no state, so that
// nothing else of it exists. The caller holds the container's lock.
func (r *Runtime) RemoveFolder(id string) error {
	name := r.name(id)
	if _, err := r.store.read(name); !errdefs.IsNotFound(err) {
		return err
	}
	return r.store.remove(name)
}

// List returns all containers, the half made ones included, by name. One whose
// state can't be read is part of the error, and does not hide the others.
func (r *Runtime) List() ([]*Container, error) {
	names, err := r.store.names()
	if err != nil {
		return nil, err
	}
	var all []*Container
	var errs []error
	for _, name := range names {
		st, err := r.store.read(name)
		if errdefs.IsNotFound(err) {
			continue // it is just being made, or removed
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, r.loaded(name, st))
	}
	return all, errors.Join(errs...)
}

// Status returns where the container is in its life, by what the kernel says: a
// start may have been killed before or after the init executed its program.
func (k *Container) Status() specs.ContainerState {
	k.mu.Lock()
	st := k.state
	k.mu.Unlock()
	if st.Created.IsZero() && alive(st.Owner) {
		return specs.StateCreating
	}
	init, ok := living(st.Init)
	switch {
	case !ok:
		return specs.StateStopped
	case st.Paused:
		return StatePaused
	case init.Flag&kernel.ProcFlagExec != 0:
		return specs.StateRunning
	}
	return specs.StateCreated
}

// State is the state of the OCI specification.
func (k *Container) State() specs.State {
	return k.ociState(k.Status())
}

// Made returns when the container was made; zero if it is half made.
func (k *Container) Made() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state.Created
}

// JailName returns the full name of the container's jail.
func (k *Container) JailName() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state.Jail
}

// Root returns the path of the container's root on the host.
func (k *Container) Root() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state.Root
}

// Folder returns the folder of the container's state.
func (k *Container) Folder() string { return k.rt.store.folder(k.name) }

// Stray tells why a container should be removed by nobody but gc: it is of
// before the machine's last start, or whoever made or served it has died. Empty
// if it should not.
func (k *Container) Stray() (string, error) {
	k.mu.Lock()
	st := k.state
	k.mu.Unlock()
	boot, err := kernel.BootID()
	if err != nil {
		return "", err
	}
	switch {
	case st.Boot != boot:
		return "it is of before the machine was started", nil
	case alive(st.Owner):
		return "", nil
	case st.Created.IsZero():
		return "it is half made, and its maker has died", nil
	case st.Namespace != "":
		// The shim that serves it is its owner.
		return "its shim has died", nil
	}
	return "", nil
}

// GC removes the containers that Stray tells of, and the folders of those that
// never came to a state. It returns the ids, or the names of such folders; with
// dry it removes nothing.
func (r *Runtime) GC(dry bool, remove func(*Container) error) ([]string, error) {
	names, err := r.store.names()
	if err != nil {
		return nil, err
	}
	var gone []string
	var errs []error
	for _, name := range names {
		st, err := r.store.read(name)
		if errdefs.IsNotFound(err) {
			removed, err := r.removeEmpty(name, dry)
			if removed {
				gone = append(gone, name+" (it has no state)")
			}
			errs = append(errs, err)
			continue
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		k := r.loaded(name, st)
		why, err := k.Stray()
		if err != nil || why == "" {
			errs = append(errs, err)
			continue
		}
		if !dry {
			if err := remove(k); err != nil {
				errs = append(errs, err)
				continue
			}
		}
		gone = append(gone, fmt.Sprintf("%s (%s)", st.ID, why))
	}
	if !dry {
		errs = append(errs, r.removeLocks())
	}
	return gone, errors.Join(errs...)
}
