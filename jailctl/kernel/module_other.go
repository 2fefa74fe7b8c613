//go:build !freebsd

package kernel

// LoadModule returns [ErrUnsupported].
func LoadModule(string) error { return ErrUnsupported }

// HasModule returns false.
func HasModule(string) bool { return false }
