package testbed

import (
	"context"
	"errors"
	"testing"
	"time"

	"jailshim/test/daemon"
)

// Patience is how long a test waits for something that should happen at once.
var Patience = daemon.Patience

// Until waits until cond returns nil, and fails the test if it hasn't within
// [Patience]: what says for what was waited, cond's last error why in vain.
func Until(tb testing.TB, what string, cond func() error) {
	tb.Helper()
	if err := poll(Patience, cond); err != nil {
		tb.Fatalf("waited %v for %s: %v", Patience, what, err)
	}
}

// errNotYet is for conditions that have no more to tell.
var errNotYet = errors.New("it has not happened")

// When makes a condition for [Until] of a yes or no.
func When(cond func() bool) func() error {
	return func() error {
		if cond() {
			return nil
		}
		return errNotYet
	}
}

// poll calls cond until it returns nil or the time is up, and returns its last
// error.
func poll(patience time.Duration, cond func() error) error {
	return daemon.Poll(context.Background(), patience, cond)
}

// Receive takes a value from a channel, and fails the test if none comes within
// [Patience].
func Receive[T any](tb testing.TB, what string, c <-chan T) T {
	tb.Helper()
	select {
	case v, ok := <-c:
		if !ok {
			tb.Fatalf("waited for %s: the channel was closed", what)
		}
		return v
	case <-time.After(Patience):
		tb.Fatalf("waited %v for %s", Patience, what)
		panic("not reached")
	}
}

// Closed waits until a channel is closed, and fails the test if it isn't within
// [Patience].
func Closed(tb testing.TB, what string, c <-chan struct{}) {
	tb.Helper()
	select {
	case <-c:
	case <-time.After(Patience):
		tb.Fatalf("waited %v for %s", Patience, what)
	}
}
