package shim

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

// maxBootstrap bounds what start reads from its standard input, in bytes; the
// same bound as in containerd's pkg/shim.
const maxBootstrap = 10 << 20

// bootstrap is what containerd tells a shim that it starts.
type bootstrap struct {
	// ttrpcAddress is where events go; empty if only the environment has it.
	ttrpcAddress string
	// grpcAddress is containerd's own address; empty: the flag has it.
	grpcAddress string
	// socketDir is where the shim's socket belongs; empty: the default.
	socketDir string
	// debug asks for log level debug.
	debug bool
}

// readBootstrap reads start's standard input. Since containerd 2.3 it holds
// protobuf BootstrapParams; before, the runtime options as an Any, or nothing.
// An old message can decode as the new one (its first two fields are strings
// as well), so the new form counts only if it names the same container as the
// command line. The options themselves come again with each Create.
func readBootstrap(r io.Reader, id, namespace string) (*bootstrap, error) {
	if r == nil {
		return &bootstrap{}, nil
	}
	in, err := io.ReadAll(io.LimitReader(r, maxBootstrap+1))
	if err != nil {
		return nil, fmt.Errorf("read bootstrap parameters: %w", err)
	}
	if len(in) > maxBootstrap {
		return nil, fmt.Errorf("bootstrap parameters: longer than %d bytes", maxBootstrap)
	}
	return parseBootstrap(in, id, namespace)
}

func parseBootstrap(in []byte, id, namespace string) (*bootstrap, error) {
	b, forID, forNamespace, err := bootstrapParams(in)
	if err != nil {
		return nil, fmt.Errorf("bootstrap parameters: neither BootstrapParams of %q nor runtime options: %w", id, err)
	}
	if forID == id && forNamespace == namespace {
		return b, nil
	}
	return &bootstrap{}, nil
}

// reply is what start prints. containerd 2.0 to 2.2 read only JSON; 2.3 and
// later try protobuf first, which JSON never is, and then JSON.
type reply struct {
	Version  int    `json:"version"`
	Address  string `json:"address"`
	Protocol string `json:"protocol"`
}

// protocolVersion 3 tells containerd that all containers of a sandbox are
// served by the sandbox's shim.
const protocolVersion = 3

func (a socketAddress) reply() ([]byte, error) {
	return json.Marshal(reply{Version: protocolVersion, Address: a.url(), Protocol: "ttrpc"})
}

// logLevel returns the level for debug or not.
func logLevel(debug bool) slog.Level {
	if debug {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}
