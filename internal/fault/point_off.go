//go:build !faultinject

package fault

// Point returns nil: this build injects nothing.
func Point(string) error { return nil }
