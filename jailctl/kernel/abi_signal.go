package kernel

import "unsafe"

const (
	sigBlock   = 1  // SIG_BLOCK, sys/sys/signal.h:468
	sigSetmask = 3  // SIG_SETMASK, sys/sys/signal.h:470
	sigIgn     = 1  // SIG_IGN, sys/sys/signal.h:139
	lastSignal = 32 // SIGTHR, sys/sys/signal.h:130; Go handles none of the real-time ones above
)

// sigset is sigset_t, sys/sys/_sigset.h:50.
type sigset [4]uint32

// sigaction is struct sigaction, sys/sys/signal.h:354. Of zeros it is the default.
type sigaction struct {
	handler uintptr
	flags   int32
	mask    sigset
}

var (
	_ [16]byte = [unsafe.Sizeof(sigset{})]byte{}
	_ [32]byte = [unsafe.Sizeof(sigaction{})]byte{}
	_ [0]byte  = [unsafe.Offsetof(sigaction{}.handler)]byte{}
	_ [8]byte  = [unsafe.Offsetof(sigaction{}.flags)]byte{}
	_ [12]byte = [unsafe.Offsetof(sigaction{}.mask)]byte{}
)
