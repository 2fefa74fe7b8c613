//go:build !freebsd

package kernel

// Fork returns [ErrUnsupported].
func (s *Script) Fork() (int, error) { return 0, ErrUnsupported }
