//go:build faultinject

package fault

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// Point obeys the line "NAME=error", "NAME=kill" or "NAME=panic" of the file that
// the environment variable JAILSHIM_FAULTS names: it returns an error, kills this
// process with SIGKILL, or panics. The file is read at every call, so that a test
// can change it while the shim runs; no file means no fault. One process is killed: the
// file goes before it, because who cleans up after it passes some of the same points.
func Point(name string) error {
	path := os.Getenv("JAILSHIM_FAULTS")
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		point, action, _ := strings.Cut(strings.TrimSpace(s.Text()), "=")
		if point != name {
			continue
		}
		switch action {
		case "error":
			return fmt.Errorf("fault injected at %s", name)
		case "panic":
			panic("fault injected at " + name)
		case "kill":
			if err := os.Remove(path); err != nil {
				return err
			}
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	return nil
}
