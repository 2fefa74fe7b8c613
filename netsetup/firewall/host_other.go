//go:build !freebsd

package firewall

import (
	"errors"
	"fmt"
)

// errUnsupported is what looks at the host return on other systems.
var errUnsupported = fmt.Errorf("networks of jails need FreeBSD: %w", errors.ErrUnsupported)

func uplinks() ([]Uplink, error) { return nil, errUnsupported }

func sysctlBool(string) (bool, error) { return false, errUnsupported }
