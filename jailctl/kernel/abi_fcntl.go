package kernel

// Commands of fcntl(2), and what *at calls take for the working directory.
const (
	fDup2FD        = 10   // F_DUP2FD, sys/sys/fcntl.h:286
	fDup2FDCloexec = 18   // F_DUP2FD_CLOEXEC, sys/sys/fcntl.h:300
	atFDCWD        = -100 // AT_FDCWD, sys/sys/fcntl.h:245
)

// struct stat, sys/sys/stat.h:157.
const (
	statSize    = 224
	offStatMode = 24 // st_mode uint16

	statTypeMask = 0o170000 // S_IFMT, sys/sys/stat.h:268
	statRegular  = 0o100000 // S_IFREG, sys/sys/stat.h:273
	statExecute  = 0o111    // S_IXUSR | S_IXGRP | S_IXOTH, sys/sys/stat.h:249
)

// Types of sockets.
const (
	sockDgram   = 2          // SOCK_DGRAM, sys/sys/socket.h:101
	sockRaw     = 3          // SOCK_RAW, sys/sys/socket.h:102
	sockCloexec = 0x10000000 // SOCK_CLOEXEC, sys/sys/socket.h:112; added to a type
)
