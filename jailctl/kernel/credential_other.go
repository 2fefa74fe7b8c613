//go:build !freebsd

package kernel

// CloseExecFrom returns [ErrUnsupported].
func CloseExecFrom(int) error { return ErrUnsupported }

// SetLoginClass returns [ErrUnsupported].
func SetLoginClass(string) error { return ErrUnsupported }

// GetLoginClass returns [ErrUnsupported].
func GetLoginClass() (string, error) { return "", ErrUnsupported }

// SetGroups returns [ErrUnsupported].
func SetGroups(int, []int) error { return ErrUnsupported }

// SetRlimit returns [ErrUnsupported].
func SetRlimit(int, Rlimit) error { return ErrUnsupported }

// SetControllingTerminal returns [ErrUnsupported].
func SetControllingTerminal(int) error { return ErrUnsupported }
