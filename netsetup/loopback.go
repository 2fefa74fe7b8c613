package netsetup

import "jailshim/netsetup/link"

// Loopback brings lo0 up in the calling process's network stack, with 127.0.0.1/8 and
// ::1/128. It may be repeated. Needs root; in a jail, one with its own network stack.
func Loopback() error { return link.Run(link.Loopback()) }
