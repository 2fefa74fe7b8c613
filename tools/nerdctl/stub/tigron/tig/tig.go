// Package tig is a stub that lets the nerdctl command compile; see README.
package tig

// T is what nerdctl's test helpers call of a *testing.T.
type T interface {
	Log(args ...any)
	FailNow()
}
