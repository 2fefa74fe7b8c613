package kernel

import (
	"errors"
	"strings"
	"syscall"
)

// Params lists the parameters that the running kernel knows, by name, without the
// prefix "security.jail.param." and without the dot at the end of those that are
// nodes as well. Modules add some when they are loaded: linux, zfs, and every file
// system that jails may mount.
func Params() (map[string]ParamInfo, error) {
	root, err := nodeOf(strings.TrimSuffix(paramPrefix, "."))
	if err != nil {
		return nil, err
	}
	params := make(map[string]ParamInfo)
	for node := root; ; {
		node, err = nextNode(node)
		if errors.Is(err, syscall.ENOENT) {
			return params, nil
		}
		if err != nil {
			return nil, err
		}
		if !isBelow(node, root) {
			return params, nil
		}
		p, err := paramOf(node)
		if errors.Is(err, syscall.ENOENT) {
			continue // its module was unloaded
		}
		if err != nil {
			return nil, err
		}
		params[p.Name] = p
	}
}

// LookupParam describes one parameter as [Params] does. ENOENT: the kernel does not
// know it.
func LookupParam(name string) (ParamInfo, error) {
	if name == "" || strings.HasSuffix(name, ".") {
		return ParamInfo{}, newError("sysctl", paramPrefix+name, syscall.ENOENT)
	}
	full := paramPrefix + name
	node, err := nodeOf(full)
	if err != nil {
		return ParamInfo{}, err
	}
	oidfmt, err := formatOf(node)
	if err != nil {
		return ParamInfo{}, err
	}
	if !isNode(oidfmt) {
		return describeParam(node, full, oidfmt)
	}
	// One that has others below it is described by a child without a name, made
	// right before or after it (lib/libjail/jail.c, jailparam_type).
	last := node[len(node)-1]
	for _, n := range []int32{last - 1, last + 1} {
		child := append(node[:len(node):len(node)], n)
		p, err := paramOf(child)
		if err == nil && p.Name == name {
			return p, nil
		}
		if err != nil && !errors.Is(err, syscall.ENOENT) && !errors.Is(err, ErrLayout) {
			return ParamInfo{}, err
		}
	}
	return ParamInfo{}, newError("sysctl", full, syscall.ENOENT)
}

// paramOf describes the parameter of a sysctl node.
func paramOf(node []int32) (ParamInfo, error) {
	name, err := readSysctl(append([]int32{ctlSysctl, sysctlName}, node...), sysctlGuess)
	if err != nil {
		return ParamInfo{}, err
	}
	oidfmt, err := formatOf(node)
	if err != nil {
		return ParamInfo{}, err
	}
	return describeParam(node, DecodeString(name), oidfmt)
}

// formatOf returns the kind and the format of a sysctl node.
func formatOf(node []int32) ([]byte, error) {
	return readSysctl(append([]int32{ctlSysctl, sysctlOIDFmt}, node...), sysctlGuess)
}

func describeParam(node []int32, name string, oidfmt []byte) (ParamInfo, error) {
	p, err := decodeParam(name, oidfmt)
	if err != nil || !p.isText() {
		return p, err
	}
	size, err := readSysctl(node, sysctlGuess)
	if err != nil {
		return ParamInfo{}, err
	}
	p.MaxLen, err = decodeMaxLen(size)
	return p, err
}

// maxKeyValue bounds what is read of meta and env, in bytes: all options of a call
// together must not be more than 64 KiB (vfs_buildopts, sys/kern/vfs_mount.c).
const maxKeyValue = 24 << 10

// keyValueSize is the size that takes every value of meta and env. The
// administrator may have raised it.
func keyValueSize() (int, error) {
	node, err := nodeOf(paramPrefix + "meta")
	if errors.Is(err, syscall.ENOENT) {
		return jailMetaSize, nil // before 15.0, where jail_get tells that it is unknown
	}
	if err != nil {
		return 0, err
	}
	b, err := readSysctl(node, sysctlGuess)
	if err != nil {
		return 0, err
	}
	size, err := decodeMaxLen(b)
	return min(size, maxKeyValue), err
}
