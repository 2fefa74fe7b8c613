package kernel

// Requests of terminals.
const (
	tiocGPTN   = 0x4004740f // TIOCGPTN, sys/sys/ttycom.h:54; number of a master's slave, int32
	tiocSCTTY  = 0x20007461 // TIOCSCTTY, sys/sys/ttycom.h:79; no argument
	tiocSWINSZ = 0x80087467 // TIOCSWINSZ, sys/sys/ttycom.h:86; struct winsize
)

// struct winsize, sys/sys/_winsize.h:39.
const (
	winsizeSize    = 8
	offWinsizeRows = 0 // ws_row uint16
	offWinsizeCols = 2 // ws_col uint16
)
