//go:build !freebsd

package netsetup

// Loopback returns [ErrUnsupported].
func Loopback() error { return ErrUnsupported }
