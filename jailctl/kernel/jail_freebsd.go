package kernel

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// hasDescriptors tells whether the kernel has jail descriptors. In a jail the
// release may be another one than the kernel's, but there nobody opens jails.
var hasDescriptors = sync.OnceValue(func() bool {
	release, err := Osreldate()
	return err == nil && release >= firstDescriptorRelease
})

// CreateJail makes a jail. A jail without the parameter persist is refused by the
// kernel, as nothing would attach to it. Nothing is left on an error.
//
// The kernel's text says what was wrong with the parameters, for those errors for
// which it has one: an unknown parameter, or two that exclude each other, is
// EINVAL; a name in use EEXIST; an address in use EADDRINUSE. A missing or bad
// path, and a value of a wrong size, come without.
//
// Source: jail_set(2), kern_jail_set in sys/kern/kern_jail.c. Needs root.
func CreateJail(params []Param) (*Jail, error) {
	object := newJailObject(params)
	// JAIL_UPDATE as well would make "vnet", "ip4" and "ip6" errors.
	jid, file, err := withNewDescriptor(object, params, jailCreate, jailSet)
	if err != nil {
		return nil, err
	}
	j := &Jail{ID: jid, file: file}
	for _, p := range params {
		if p.Name == "name" {
			j.Name = DecodeString(p.Value)
		}
	}
	if j.Name == "" {
		j.Name = fmt.Sprint(jid)
	}
	return j, nil
}

// OpenJail returns the living jail of a name, relative to the calling process's
// jail. ENOENT: there is none, or it is dying.
func OpenJail(name string) (*Jail, error) {
	jid, file, err := withNewDescriptor(nameObject(name), []Param{String("name", name)}, 0, jailGetID)
	if err != nil {
		return nil, err
	}
	return &Jail{ID: jid, Name: name, file: file}, nil
}

// OpenJailID returns the living jail of an id. ENOENT: there is none, or it is
// dying.
func OpenJailID(jid int) (*Jail, error) {
	if jid <= 0 {
		return nil, newError("jail_get", jidObject(jid), syscall.ENOENT)
	}
	name := Param{Name: "name", Value: make([]byte, maxHostName)}
	_, file, err := withNewDescriptor(jidObject(jid), []Param{Int("jid", int32(jid)), name}, 0, jailGetID)
	if err != nil {
		return nil, err
	}
	return &Jail{ID: jid, Name: DecodeString(name.Value), file: file}, nil
}

// jailGetID is jailGet in the shape of jailSet.
func jailGetID(object string, params []Param, flags int) (int, error) {
	jid, _, err := jailGet(object, params, flags)
	return jid, err
}

// withNewDescriptor makes a call that finds or makes a jail, and has the kernel
// return a descriptor of it where it can. The file is nil where it can't.
func withNewDescriptor(object string, params []Param, flags int, call func(string, []Param, int) (int, error)) (int, *os.File, error) {
	if !hasDescriptors() {
		jid, err := call(object, params, flags)
		return jid, nil, err
	}
	desc := Int(descName, -1)
	params = append(params[:len(params):len(params)], desc)
	// The kernel has no way to make the descriptor close-on-exec at once. Asking
	// for it in a second call would keep the lock for a shorter time, but an
	// error there would leave a jail that nobody holds.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	jid, err := call(object, params, flags|jailGetDesc)
	if err != nil {
		return 0, nil, err
	}
	fd, err := DecodeInt(desc.Value)
	if err != nil {
		return 0, nil, err
	}
	unix.CloseOnExec(int(fd))
	return jid, os.NewFile(uintptr(fd), object), nil
}

// Update changes parameters. EINVAL with a text: one of them can't be changed
// after creation. ENOENT: the jail is gone or dying.
func (j *Jail) Update(params []Param) error {
	return j.withKey(func(key Param, flags int) error {
		_, err := jailSet(j.object(), append([]Param{key}, params...), jailUpdate|flags)
		return err
	})
}

// getAttempts is how often Get reads values again that grew since it asked for
// their sizes.
const getAttempts = 4

// Get reads parameters, by their names and in the kernel's encoding, for the
// Decode functions: 4 bytes for all kinds of numbers and booleans, 8 for
// host.hostid, strings with their NUL, addresses packed. A key of meta or env that
// is not set reads as no bytes. A jail with addresses of its own reads ip4 and ip6 as
// [Disable], however they were set: the kernel keeps only that they are not the
// parent's (kern_jail_get, sys/kern/kern_jail.c). EINVAL: a parameter is unknown.
// ENOENT: the jail is gone or dying.
func (j *Jail) Get(names ...string) (map[string][]byte, error) {
	var values map[string][]byte
	err := j.withKey(func(key Param, flags int) error {
		params, err := getParams(key, names)
		if err != nil {
			return err
		}
		values, err = j.get(params, flags)
		return err
	})
	return values, err
}

// getParams returns what to read: the key first, which names the jail, and a
// buffer for those values that have no size to ask for.
func getParams(key Param, names []string) ([]Param, error) {
	params := []Param{key}
	for _, name := range names {
		p := Param{Name: name}
		if name == key.Name {
			continue
		}
		if isKeyValue(name) {
			size, err := keyValueSize()
			if err != nil {
				return nil, err
			}
			p.Value = make([]byte, size)
		}
		params = append(params, p)
	}
	return params, nil
}

// get asks for the sizes of the values, then for the values.
func (j *Jail) get(params []Param, flags int) (map[string][]byte, error) {
	for attempt := 1; ; attempt++ {
		asked := slices.Clone(params)
		for i, p := range asked[1:] {
			if !isKeyValue(p.Name) {
				asked[i+1].Value = nil
			}
		}
		_, sizes, err := jailGet(j.object(), asked, flags)
		if err != nil {
			return nil, err
		}
		for i, p := range asked[1:] {
			if !isKeyValue(p.Name) {
				asked[i+1].Value = make([]byte, sizes[i+1])
			}
		}
		_, sizes, err = jailGet(j.object(), asked, flags)
		if err == nil {
			return getValues(asked, sizes), nil
		}
		// A value that has outgrown its buffer is EINVAL, like much else.
		if attempt == getAttempts || !errors.Is(err, syscall.EINVAL) {
			return nil, err
		}
	}
}

// Remove kills every process in the jail and in those below it, and removes them.
// It is the one way to kill them all that no fork escapes. It returns before the
// processes are gone, and the jail stays dying for as long as anything refers to
// it; see [StateOfJail].
//
// A jail that is gone or dying is ENOENT on every release. Without descriptors, so
// is one whose id is another jail's by now, as its name tells.
//
// Source: jail_remove(2), sys/kern/kern_jail.c. Needs root.
func (j *Jail) Remove() error {
	if j.file != nil {
		return j.withFD(func(fd int) error { return jailRemoveJD(j.object(), fd) })
	}
	if err := j.verify(); err != nil {
		return err
	}
	err := jailRemove(j.object(), j.ID)
	if e := (*Error)(nil); errors.As(err, &e) && e.Errno == syscall.EINVAL {
		e.Errno = syscall.ENOENT
	}
	return err
}

// verify fails with ENOENT if the id is not that of the named jail any more.
func (j *Jail) verify() error {
	if j.Name == "" {
		return nil
	}
	name := Param{Name: "name", Value: make([]byte, maxHostName)}
	if _, _, err := jailGet(j.object(), []Param{Int("jid", int32(j.ID)), name}, 0); err != nil {
		return err
	}
	if other := DecodeString(name.Value); other != j.Name {
		return &Error{
			Op: "jail_get", Object: j.object(), Errno: syscall.ENOENT,
			Detail: fmt.Sprintf("its id %d is that of jail %q now", j.ID, other),
		}
	}
	return nil
}

// Attach puts the calling process into the jail, all of its threads, for good. Its
// root and working directory become the jail's root. EPERM: it has a directory
// open, whatever its close-on-exec flag, or is not root. ENOENT or EINVAL: the jail
// is gone or dying. EDEADLK: none of the process's CPUs is the jail's; see
// [ResetCPUSet].
//
// Source: jail_attach(2), do_jail_attach in sys/kern/kern_jail.c.
func (j *Jail) Attach() error {
	if j.file == nil {
		return jailAttach(j.object(), j.ID)
	}
	return j.withFD(func(fd int) error { return jailAttachJD(j.object(), fd) })
}

// withKey calls call with the parameter and the flags that name the jail.
func (j *Jail) withKey(call func(key Param, flags int) error) error {
	if j.file == nil {
		return call(Int("jid", int32(j.ID)), 0)
	}
	return j.withFD(func(fd int) error { return call(Int(descName, int32(fd)), jailUseDesc) })
}

// withFD calls call with the descriptor, which stays open until it returns.
func (j *Jail) withFD(call func(fd int) error) error { return withFD(j.file, call) }

// withFD calls call with the descriptor of f, which stays open, and as blocking or
// not as it is, until it returns.
func withFD(f *os.File, call func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var callErr error
	if err := raw.Control(func(fd uintptr) { callErr = call(int(fd)) }); err != nil {
		return fmt.Errorf("%s: %w", f.Name(), err)
	}
	return callErr
}

// StateOfJail tells where the jail of an id is in its life. For a jail with its
// own network [JailGone] comes a moment before its root directory is free: an
// unmount may still be EBUSY for some tenths of a second.
func StateOfJail(jid int) (JailState, error) {
	if jid <= 0 {
		return 0, newError("jail_get", jidObject(jid), syscall.EINVAL)
	}
	dying := Int("dying", 0)
	_, _, err := jailGet(jidObject(jid), []Param{Int("jid", int32(jid)), dying}, jailDying)
	if errors.Is(err, syscall.ENOENT) {
		return JailGone, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := DecodeInt(dying.Value)
	if err != nil {
		return 0, err
	}
	if n != 0 {
		return JailDying, nil
	}
	return JailAlive, nil
}

// Jails lists the jails below the calling process's, those below them included, by
// rising id; with dying, also the dying ones. A jail that comes or goes meanwhile
// is listed or not.
func Jails(dying bool) ([]JailInfo, error) {
	flags := 0
	if dying {
		flags = jailDying
	}
	var jails []JailInfo
	for last := 0; ; {
		isDying, parent := Int("dying", 0), Int("parent", 0)
		name := Param{Name: "name", Value: make([]byte, maxHostName)}
		path := Param{Name: "path", Value: make([]byte, maxPath)}
		jid, _, err := jailGet("", []Param{Int("lastjid", int32(last)), name, path, isDying, parent}, flags)
		if errors.Is(err, syscall.ENOENT) {
			return jails, nil
		}
		if err != nil {
			return nil, err
		}
		jails = append(jails, JailInfo{
			ID:     jid,
			Name:   DecodeString(name.Value),
			Path:   DecodeString(path.Value),
			Dying:  le.Uint32(isDying.Value) != 0,
			Parent: int(le.Uint32(parent.Value)),
		})
		last = jid
	}
}
