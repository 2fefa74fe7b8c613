//go:build !freebsd

package kernel

import "os"

// OpenPTY returns [ErrUnsupported].
func OpenPTY() (*os.File, string, error) { return nil, "", ErrUnsupported }

// SetWinsize returns [ErrUnsupported].
func SetWinsize(*os.File, uint16, uint16) error { return ErrUnsupported }
