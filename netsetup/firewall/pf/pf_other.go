//go:build !freebsd

package pf

import "net/netip"

// Running returns [ErrUnsupported].
func Running() (loaded, enabled bool, err error) { return false, false, ErrUnsupported }

// Exists returns [ErrUnsupported].
func Exists(string) (bool, error) { return false, ErrUnsupported }

// Anchors returns [ErrUnsupported].
func Anchors(string) ([]string, error) { return nil, ErrUnsupported }

// Flush returns [ErrUnsupported].
func Flush(string) error { return ErrUnsupported }

// KillStates returns [ErrUnsupported].
func KillStates(netip.Addr) error { return ErrUnsupported }
