//go:build !freebsd

package kernel

// WaitJail returns [ErrUnsupported].
func WaitJail(int, bool) (WaitResult, error) { return WaitResult{}, ErrUnsupported }

// WaitPid returns [ErrUnsupported].
func WaitPid(int, bool) (WaitResult, error) { return WaitResult{}, ErrUnsupported }

// WaitAny returns [ErrUnsupported].
func WaitAny(bool) (WaitResult, error) { return WaitResult{}, ErrUnsupported }
