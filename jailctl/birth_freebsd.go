package jailctl

import (
	"os"
	"syscall"
	"time"
)

// birth is when a file was made, whatever was done with it since.
func birth(fi os.FileInfo) time.Time {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return fi.ModTime()
	}
	return time.Unix(st.Birthtimespec.Unix())
}
