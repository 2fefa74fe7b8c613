//go:build !linux && !freebsd

package shim

import "errors"

// errUnsupported is what every function of this file returns.
var errUnsupported = errors.New("containers run on Linux and FreeBSD only")

func becomeSubreaper() error { return errUnsupported }

func peekZombie() (int, error) { return 0, errUnsupported }

func zombies() []int { return nil }

func peekChild(int) (ended bool, err error) { return false, errUnsupported }

func dup2(int, int) error { return errUnsupported }

// trimProgram does nothing: nothing is known of this system.
func trimProgram() error { return nil }
