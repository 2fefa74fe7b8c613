package daemon

import (
	"context"
	"errors"
	"os"
	"time"
)

// Patience is how long something may take that should happen at once: the daemon
// to answer, a container to be gone. It is generous, because the machine may be
// busy with other tests; E2E_PATIENCE sets it for a machine that is slow
// altogether, as an emulated one.
var Patience = patience(os.Getenv("E2E_PATIENCE"))

func patience(setting string) time.Duration {
	if d, err := time.ParseDuration(setting); err == nil && d > 0 {
		return d
	}
	return usualPatience
}

const usualPatience = 30 * time.Second

// pollEvery is how often a condition is looked at again.
const pollEvery = 10 * time.Millisecond

// Poll calls cond until it returns nil. When the time is up, or ctx ends, it
// returns cond's last error.
func Poll(ctx context.Context, patience time.Duration, cond func() error) error {
	deadline := time.After(patience)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := cond()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-deadline:
			return err
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}
