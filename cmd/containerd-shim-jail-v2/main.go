// Command containerd-shim-jail-v2 is containerd's shim for the runtime
// io.containerd.jail.v2. containerd starts it; see package shim for how.
package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"

	"github.com/containerd/containerd/api/types"
	"google.golang.org/protobuf/types/known/anypb"

	"jailshim/internal/version"
	"jailshim/ociruntime"
	"jailshim/options"
	"jailshim/shim"
	"jailshim/task"
)

const runtimeName = "io.containerd.jail.v2"

func main() {
	p := &shim.Program{
		Runtime: runtimeName,
		Version: version.Version,
		Serve:   serve,
		Delete:  remove,
		Info:    info,
	}
	os.Exit(p.Main(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// serve wires the server's parts together.
func serve(_ context.Context, s *shim.Server) (shim.Service, error) {
	ociruntime.UseStarter(s.Reaper)
	return task.NewService(task.Config{
		Namespace:  s.Namespace,
		Shim:       s.Name,
		StateDir:   s.StateDir,
		Version:    version.Version,
		Reaper:     s.Reaper,
		Events:     s.Events,
		NewRuntime: newRuntimes(s.StateDir, s.Reaper).get,
		Shutdown:   s.Shutdown,
		Log:        slog.With(shim.KeyNamespace, s.Namespace),
	}), nil
}

// remove answers delete for a container whose server is gone.
func remove(ctx context.Context, d *shim.Dead) (shim.Exit, error) {
	k := &task.Cleanup{
		Namespace:  d.Namespace,
		ID:         d.ID,
		Bundle:     d.Bundle,
		StateDir:   d.StateDir,
		NewRuntime: newRuntimes(d.StateDir, nil).get,
		Shims:      func(leader string) []string { return shim.Servers(d.StateDir, d.Namespace, leader) },
		ShimSocket: func(name string) string { return shim.ServerSocket(d.StateDir, d.Namespace, name) },
		RemoveShim: func(name string) error { return shim.RemoveServer(d.StateDir, d.Namespace, name) },
	}
	pid, status, at, err := k.Run(ctx)
	return shim.Exit{Pid: pid, Status: status, At: at}, err
}

// featuresURL is the type under which containerd expects the OCI features.
const featuresURL = "types.containerd.io/opencontainers/runtime-spec/1/features/Features"

// info answers -info for the runtime that the options select.
func info(ctx context.Context, a *anypb.Any) (*types.RuntimeInfo, error) {
	o, _, err := options.Decode(a)
	if err != nil {
		return nil, err
	}
	rt, err := newRuntimes(shim.StateRoot, nil).get("", o)
	if err != nil {
		return nil, err
	}
	i, err := rt.Info(ctx)
	if err != nil {
		return nil, err
	}
	out := &types.RuntimeInfo{
		Name:        runtimeName,
		Version:     &types.RuntimeVersion{Version: version.Version},
		Options:     a,
		Annotations: map[string]string{"io.containerd.jail.v2.oci-runtime": i.Name + " " + i.Version},
	}
	if i.Features != nil {
		b, err := json.Marshal(i.Features)
		if err != nil {
			return nil, err
		}
		out.Features = &anypb.Any{TypeUrl: featuresURL, Value: b}
	}
	return out, nil
}
