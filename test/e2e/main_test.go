package e2e

import (
	"os"
	"sync"
	"testing"

	"jailshim/test/e2e/testbed"
)

// shared is the daemon of all tests that don't do anything to the daemon
// itself. The first test that needs it starts it; a start that failed fails
// every test.
var shared struct {
	once   sync.Once
	daemon *testbed.Daemon
	err    error
}

func TestMain(m *testing.M) {
	os.Exit(testbed.Main(m.Run, func() *testbed.Daemon { return shared.daemon }))
}

// space returns a namespace of the shared daemon for a test that may run beside
// others.
func space(t *testing.T) *testbed.Space {
	t.Helper()
	t.Parallel()
	testbed.Require(t, testbed.Root)
	shared.once.Do(func() { shared.daemon, shared.err = testbed.StartDaemon() })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.daemon.NewSpace(t)
}
