package kernel

import (
	"fmt"
	"strings"
	"syscall"
)

// errmsgName is the option whose value the kernel fills with a text on failure.
const errmsgName = "errmsg"

// encodeOptions returns the buffers that jail_set(2), jail_get(2) and nmount(2)
// take: each name, with its NUL, followed by its value, which is nil for a name
// that stands alone. The last is errmsg, for the kernel's text. A name that is
// empty or has a NUL inside wraps EINVAL: the kernel would read another name than
// the caller's.
func encodeOptions(params []Param, errmsg []byte) ([][]byte, error) {
	buffers := make([][]byte, 0, 2*len(params)+2)
	for _, p := range params {
		if p.Name == "" || strings.IndexByte(p.Name, 0) >= 0 {
			return nil, fmt.Errorf("option name %q: %w", p.Name, syscall.EINVAL)
		}
		buffers = append(buffers, cString(p.Name), p.Value)
	}
	return append(buffers, cString(errmsgName), errmsg), nil
}

// mountParams returns what nmount(2) takes for a mount: type and target first,
// then the options in their order. A text with a NUL inside wraps EINVAL.
func mountParams(fstype, target string, options []MountOption) ([]Param, error) {
	params := make([]Param, 0, len(options)+2)
	params = append(params, String("fstype", fstype), String("fspath", target))
	for _, o := range options {
		if !o.HasValue {
			params = append(params, Param{Name: o.Name})
			continue
		}
		params = append(params, String(o.Name, o.Value))
	}
	for _, p := range params {
		if n := len(p.Value); n > 0 && strings.IndexByte(string(p.Value[:n-1]), 0) >= 0 {
			return nil, fmt.Errorf("mount option %s=%q: %w", p.Name, p.Value[:n-1], syscall.EINVAL)
		}
	}
	return params, nil
}
