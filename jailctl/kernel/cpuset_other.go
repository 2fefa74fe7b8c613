//go:build !freebsd

package kernel

// JailCPUs returns [ErrUnsupported].
func JailCPUs(int) (CPUSet, error) { return CPUSet{}, ErrUnsupported }

// SetJailCPUs returns [ErrUnsupported].
func SetJailCPUs(int, CPUSet) error { return ErrUnsupported }

// SetJailDomains returns [ErrUnsupported].
func SetJailDomains(int, string) error { return ErrUnsupported }
