//go:build !freebsd && !linux

package ioctl

import "jailshim/snapshotter-zfs/engine"

func openTransport() (transport, error) { return nil, engine.ErrUnsupported }
