package shim

import (
	"errors"
	"flag"
	"fmt"
	"io"
)

// invocation is one command line of the binary, as containerd (or start, for
// the server) writes it.
type invocation struct {
	debug         bool
	version       bool
	info          bool
	namespace     string
	id            string
	bundle        string
	address       string // containerd's gRPC address
	publishBinary string // accepted; events go over ttrpc
	socket        string // the server's own socket path
	action        string // start, delete or empty for the server
}

// parseArgs parses the arguments after the program's name. containerd's flags
// are those of its pkg/shim; unknown ones are an error.
func parseArgs(args []string) (*invocation, error) {
	var inv invocation
	fs := flag.NewFlagSet("containerd-shim", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.BoolVar(&inv.debug, "debug", false, "log at debug level")
	fs.BoolVar(&inv.version, "v", false, "print the version and exit")
	fs.BoolVar(&inv.version, "version", false, "print the version and exit")
	fs.BoolVar(&inv.info, "info", false, "print the runtime's information and exit")
	fs.StringVar(&inv.namespace, "namespace", "", "namespace of the container")
	fs.StringVar(&inv.id, "id", "", "id of the container")
	fs.StringVar(&inv.bundle, "bundle", "", "path of the bundle")
	fs.StringVar(&inv.address, "address", "", "containerd's gRPC address")
	fs.StringVar(&inv.publishBinary, "publish-binary", "", "path of the containerd binary")
	fs.StringVar(&inv.socket, "socket", "", "path of the shim's socket")
	fs.String("debug-socket", "", "accepted for compatibility; has no effect")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	inv.action = fs.Arg(0)
	switch {
	case inv.version || inv.info:
		return &inv, nil
	case fs.NArg() > 1:
		return nil, fmt.Errorf("unexpected argument %q", fs.Arg(1))
	case inv.namespace == "":
		return nil, errors.New("-namespace is missing")
	case inv.id == "":
		return nil, errors.New("-id is missing")
	}
	switch inv.action {
	case "start", "delete", "":
		return &inv, nil
	}
	return nil, fmt.Errorf("unknown action %q; known are start and delete", inv.action)
}
