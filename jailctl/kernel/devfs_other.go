//go:build !freebsd

package kernel

import "os"

// RulesetExists returns [ErrUnsupported].
func RulesetExists(string, int) (bool, error) { return false, ErrUnsupported }

// ApplyDevRule returns [ErrUnsupported].
func ApplyDevRule(*os.File, DevRule) error { return ErrUnsupported }

// AddDevRule returns [ErrUnsupported].
func AddDevRule(string, int, int, DevRule) error { return ErrUnsupported }

// RemoveDevRule returns [ErrUnsupported].
func RemoveDevRule(string, int, int) error { return ErrUnsupported }

// Rulesets returns [ErrUnsupported].
func Rulesets(string) ([]int, error) { return nil, ErrUnsupported }
