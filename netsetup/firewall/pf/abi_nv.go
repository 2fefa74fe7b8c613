package pf

// Types of pairs, sys/sys/nv.h:51 and sys/contrib/libnv/nv_impl.h:53.
const (
	nvNull        = 1
	nvBool        = 2
	nvNumber      = 3
	nvString      = 4
	nvList        = 5
	nvBinary      = 7
	nvNumberArray = 9
	nvListArray   = 11
	nvArrayNext   = 254
	nvUp          = 255
)

const (
	nvMagic = 0x6c // NVLIST_HEADER_MAGIC, sys/contrib/libnv/nvlist.c:118

	// struct nvlist_header, packed, sys/contrib/libnv/nv_impl.h:45.
	nvHeaderSize = 19
	offNVFlags   = 2
	offNVSize    = 11 // nvlh_size uint64: all that follows, to the end of the outermost list

	// struct nvpair_header, packed, sys/contrib/libnv/bsd_nvpair.c:101; the name with
	// its NUL follows, then the data.
	nvPairSize     = 19
	offPairName    = 1 // nvph_namesize uint16, with the NUL
	offPairData    = 3 // nvph_datasize uint64
	offPairItems   = 11
	nvFlagsAllowed = 0x103 & 0xff // NV_FLAG_ALL_MASK of a little-endian list, sys/contrib/libnv/nvlist.c:94
)
