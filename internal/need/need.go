// Package need is the one place where a test is skipped: for want of something of the
// machine that the test can't set up itself.
package need

import (
	"os"
	"testing"
)

// Missing skips the test, or fails it with E2E_REQUIRE=1. The text names what the test
// needs, and how to get it.
func Missing(tb testing.TB, text string) {
	tb.Helper()
	if os.Getenv("E2E_REQUIRE") == "1" {
		tb.Fatal(text + " (E2E_REQUIRE=1: not skipped)")
	}
	tb.Skip(text)
}

// Root skips a test that needs root, unless it is run as root.
func Root(tb testing.TB) {
	tb.Helper()
	if os.Geteuid() != 0 {
		Missing(tb, "this test needs root: run it with su(1) or doas(1)")
	}
}
