//go:build !freebsd

package kernel

// RacctEnabled returns false.
func RacctEnabled() bool { return false }

// AddRule returns [ErrUnsupported].
func AddRule(Rule) error { return ErrUnsupported }

// RemoveRules returns [ErrUnsupported].
func RemoveRules(string) error { return ErrUnsupported }

// RemoveRule returns [ErrUnsupported].
func RemoveRule(string, string, string) error { return ErrUnsupported }

// Rules returns [ErrUnsupported].
func Rules(string) ([]Rule, error) { return nil, ErrUnsupported }

// Usage returns [ErrUnsupported].
func Usage(string) (map[string]uint64, error) { return nil, ErrUnsupported }
