package cli

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxSignal is the largest number of a signal (SIGRTMAX of sys/signal.h).
const maxSignal = 126

// parseSignal reads a signal: its number, or its name in any case, with or
// without SIG.
func parseSignal(text string) (syscall.Signal, error) {
	if n, err := strconv.Atoi(text); err == nil {
		if n < 0 || n > maxSignal {
			return 0, fmt.Errorf("there is no signal %d: 0 to %d are", n, maxSignal)
		}
		return syscall.Signal(n), nil
	}
	name := strings.ToUpper(text)
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	if sig := unix.SignalNum(name); sig != 0 {
		return sig, nil
	}
	return 0, fmt.Errorf("unknown signal %q", text)
}
