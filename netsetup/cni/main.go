package cni

import (
	"context"
	"io"
)

// maxInput bounds a network configuration. The largest part is GC's list.
const maxInput = 16 << 20

// Main answers the call that the environment and the standard input make, and returns
// the exit status. The answer, an error too, goes to out, as the specification says.
func (p *Plugin) Main(ctx context.Context, getenv func(string) string, in io.Reader, out io.Writer) int {
	c := &Call{
		Command: getenv("CNI_COMMAND"), ContainerID: getenv("CNI_CONTAINERID"), NetNS: getenv("CNI_NETNS"),
		IfName: getenv("CNI_IFNAME"), Args: getenv("CNI_ARGS"),
	}
	var output []byte
	ok := false
	stdin, err := io.ReadAll(io.LimitReader(in, maxInput+1))
	switch {
	case err != nil:
		output = encodeError(Version, failed(codeIO, "read the network configuration: %w", err))
	case len(stdin) > maxInput:
		output = encodeError(Version, failed(codeIO, "the network configuration has more than %d bytes", maxInput))
	default:
		c.Stdin = stdin
		output, ok = p.Run(ctx, c)
	}
	if _, err := out.Write(output); err != nil || !ok {
		return 1
	}
	return 0
}
