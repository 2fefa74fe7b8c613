package jailctl

import "syscall"

// inJail are the attributes of a process in a jail, or onHost.
func inJail(jid int) (*syscall.SysProcAttr, error) { return &syscall.SysProcAttr{Jail: jid}, nil }
