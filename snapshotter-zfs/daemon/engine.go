package daemon

import (
	"context"
	"errors"

	"github.com/containerd/errdefs"

	"jailshim/snapshotter-zfs/engine"
	"jailshim/snapshotter-zfs/engine/command"
	"jailshim/snapshotter-zfs/engine/ioctl"
)

// openEngine opens the engine of a kind for a pool. Auto is /dev/zfs, and zfs(8) where
// there is none that this program knows.
func openEngine(ctx context.Context, kind, pool string) (engine.Engine, error) {
	if kind == EngineCommand {
		return openCommand(ctx, pool)
	}
	e, err := ioctl.Open(ctx, pool)
	switch {
	case err == nil:
		return e, nil
	case kind == EngineAuto && errdefs.IsNotImplemented(err):
		c, commandErr := openCommand(ctx, pool)
		if commandErr != nil {
			return nil, errors.Join(err, commandErr)
		}
		return c, nil
	default:
		return nil, err
	}
}

func openCommand(ctx context.Context, pool string) (engine.Engine, error) {
	e, err := command.Open(ctx, pool, command.Config{})
	if err != nil {
		return nil, err
	}
	return e, nil
}
