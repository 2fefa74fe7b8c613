//go:build !freebsd

package kernel

// Params returns [ErrUnsupported].
func Params() (map[string]ParamInfo, error) { return nil, ErrUnsupported }

// LookupParam returns [ErrUnsupported].
func LookupParam(string) (ParamInfo, error) { return ParamInfo{}, ErrUnsupported }
