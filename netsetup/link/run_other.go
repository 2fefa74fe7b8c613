//go:build !freebsd

package link

// Run returns [ErrUnsupported].
func Run([]Call) error { return ErrUnsupported }

// List returns [ErrUnsupported].
func List() ([]Interface, error) { return nil, ErrUnsupported }

// Sysctl returns [ErrUnsupported].
func Sysctl(string) (int, error) { return 0, ErrUnsupported }

// SetSysctl returns [ErrUnsupported].
func SetSysctl(string, int) error { return ErrUnsupported }
