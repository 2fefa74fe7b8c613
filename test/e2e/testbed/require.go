package testbed

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"jailshim/internal/need"
	"jailshim/test/daemon"
)

// Need is something of the machine that a test can't do without and can't set
// up itself.
type Need struct {
	// Name says what it is.
	Name string
	// Check returns nil if the machine has it.
	Check func() error
	// Get tells the operator how to get it.
	Get string
}

// Root is needed to make containers.
var Root = Need{
	Name: "root",
	Check: func() error {
		if os.Geteuid() != 0 {
			return os.ErrPermission
		}
		return nil
	},
	Get: "run the tests as root",
}

// Require skips the test unless the machine has all that is needed. With
// E2E_REQUIRE=1 it fails the test instead.
func Require(tb testing.TB, needs ...Need) {
	tb.Helper()
	for _, n := range needs {
		err := n.Check()
		if err == nil {
			continue
		}
		need.Missing(tb, fmt.Sprintf("this test needs %s: %v: %s", n.Name, err, n.Get))
	}
}

// OurShim is needed by tests about something that containerd's own shim does not
// do.
var OurShim = Need{
	Name: "the runtime " + OurRuntime,
	Check: func() error {
		if Runtime != OurRuntime {
			return errors.New("E2E_RUNTIME is " + Runtime)
		}
		return nil
	},
	Get: "unset E2E_RUNTIME",
}

// MemoryAccounting is needed to limit memory and to see that a limit was hit.
var MemoryAccounting = memoryAccounting()

func memoryAccounting() Need {
	get, _ := daemon.MemoryAccounting()
	return Need{
		Name:  "accounting of memory",
		Check: func() error { _, err := daemon.MemoryAccounting(); return err },
		Get:   get,
	}
}
