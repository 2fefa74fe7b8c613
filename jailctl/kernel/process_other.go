//go:build !freebsd

package kernel

// Processes returns [ErrUnsupported].
func Processes() ([]Process, error) { return nil, ErrUnsupported }

// ProcessesIn returns [ErrUnsupported].
func ProcessesIn(...int) ([]Process, error) { return nil, ErrUnsupported }

// ProcessByID returns [ErrUnsupported].
func ProcessByID(int) (Process, error) { return Process{}, ErrUnsupported }
