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

// paramOf describes the parameter of a sysctl node.
func paramOf(node []int32) (ParamInfo, error) {
	name, err := readSysctl(append([]int32{ctlSysctl, sysctlName}, node...), sysctlGuess)
	if err != nil {
		return ParamInfo{}, err
	}
	oidfmt, err := readSysctl(append([]int32{ctlSysctl, sysctlOIDFmt}, node...), sysctlGuess)
	if err != nil {
		return ParamInfo{}, err
	}
	p, err := decodeParam(DecodeString(name), oidfmt)
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
