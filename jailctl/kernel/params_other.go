//go:build !freebsd

package kernel

// Params returns [ErrUnsupported].
func Params() (map[string]ParamInfo, error) { return nil, ErrUnsupported }
