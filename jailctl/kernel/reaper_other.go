//go:build !freebsd

package kernel

import "syscall"

// BecomeReaper returns [ErrUnsupported].
func BecomeReaper() error { return ErrUnsupported }

// ReaperStatus returns [ErrUnsupported].
func ReaperStatus() (ReapStatus, error) { return ReapStatus{}, ErrUnsupported }

// ReaperPids returns [ErrUnsupported].
func ReaperPids() ([]ReapPid, error) { return nil, ErrUnsupported }

// ReapKill returns [ErrUnsupported].
func ReapKill(syscall.Signal, int) (int, error) { return 0, ErrUnsupported }
