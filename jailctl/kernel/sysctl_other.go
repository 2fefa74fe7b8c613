//go:build !freebsd

package kernel

import "time"

// Osreldate returns [ErrUnsupported].
func Osreldate() (int, error) { return 0, ErrUnsupported }

// BootID returns [ErrUnsupported].
func BootID() (string, error) { return "", ErrUnsupported }

// BootTime returns [ErrUnsupported].
func BootTime() (time.Time, error) { return time.Time{}, ErrUnsupported }
