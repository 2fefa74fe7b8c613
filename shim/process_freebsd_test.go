package shim

// zombie reports whether a child has ended, without reaping it.
func zombie(pid int) bool {
	got, err := wait6(idPID, pid, optExited|optNoHang|optNoWait)
	return err == nil && got == pid
}
