package pf

import "unsafe"

// pfiocTrans is struct pfioc_trans, sys/net/pfvar.h:2035.
type pfiocTrans struct {
	size  int32 // elements
	esize int32 // bytes of each
	array unsafe.Pointer
}

// pfiocNV is struct pfioc_nv, sys/netpfil/pf/pf_nv.h; len is of what data holds, size
// of what it has room for.
type pfiocNV struct {
	data unsafe.Pointer
	len  uint64
	size uint64
}

var (
	_ [16]byte = [unsafe.Sizeof(pfiocTrans{})]byte{}
	_ [24]byte = [unsafe.Sizeof(pfiocNV{})]byte{}
)
