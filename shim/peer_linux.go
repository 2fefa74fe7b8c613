package shim

import "github.com/containerd/ttrpc"

// sameUser accepts clients that run as the same user and group as the server.
func sameUser() ttrpc.Handshaker { return ttrpc.UnixSocketRequireSameUser() }
