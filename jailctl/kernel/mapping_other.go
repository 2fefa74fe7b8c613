//go:build !freebsd

package kernel

// TrimProgram returns [ErrUnsupported].
func TrimProgram() (int64, error) { return 0, ErrUnsupported }
