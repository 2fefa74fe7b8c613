//go:build !linux && !freebsd

package shim

import "errors"

// errUnsupported is what every function of this file returns.
var errUnsupported = errors.New("containers run on Linux and FreeBSD only")

func becomeSubreaper() error { return errUnsupported }

func peekZombie() (int, error) { return 0, errUnsupported }

func zombies() []int { return nil }

func isChild(int) error { return errUnsupported }

func hasEnded(int) bool { return false }

func dup2(int, int) error { return errUnsupported }

// trimProgram does nothing: nothing is known of this system.
func trimProgram() error { return nil }
