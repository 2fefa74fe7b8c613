package nvlist

// The header of an encoded list.
const (
	encodingNative = 0 // NV_ENCODE_NATIVE, sys/contrib/openzfs/include/sys/nvpair.h:97
	endianLittle   = 1 // host_endian, sys/contrib/openzfs/module/nvpair/nvpair.c:2622
	headerSize     = 4 // nvs_header_t, sys/contrib/openzfs/module/nvpair/nvpair.c:2393
	listVersion    = 0 // NV_VERSION, sys/contrib/openzfs/include/sys/nvpair.h:94
	uniqueNames    = 1 // NV_UNIQUE_NAME, sys/contrib/openzfs/include/sys/nvpair.h:101
	prefixSize     = headerSize + 8
)

// nvpair_t, sys/contrib/openzfs/include/sys/nvpair.h:74.
const (
	offNameSize = 4  // nvp_name_sz, sys/contrib/openzfs/include/sys/nvpair.h:76
	offElements = 8  // nvp_value_elem, sys/contrib/openzfs/include/sys/nvpair.h:78
	offType     = 12 // nvp_type, sys/contrib/openzfs/include/sys/nvpair.h:79
	offName     = 16 // nvp_name, sys/contrib/openzfs/include/sys/nvpair.h:80
)

const (
	endSize     = 4  // nvs_native_nvl_fini, sys/contrib/openzfs/module/nvpair/nvpair.c:2906
	listSize    = 24 // nvlist_t, sys/contrib/openzfs/include/sys/nvpair.h:86
	offListFlag = 4  // nvl_nvflag, sys/contrib/openzfs/include/sys/nvpair.h:88
	pointerSize = 8  // of arrays of strings and lists, sys/contrib/openzfs/module/nvpair/nvpair.c:2949
	maxDepth    = 20 // nvpair_max_recursion in the kernel, sys/contrib/openzfs/module/nvpair/nvpair.c:152
)

// data_type_t, sys/contrib/openzfs/include/sys/nvpair.h:38.
const (
	typeBoolean      = 1  // DATA_TYPE_BOOLEAN, sys/contrib/openzfs/include/sys/nvpair.h:41
	typeInt32        = 5  // DATA_TYPE_INT32, sys/contrib/openzfs/include/sys/nvpair.h:45
	typeUint32       = 6  // DATA_TYPE_UINT32, sys/contrib/openzfs/include/sys/nvpair.h:46
	typeInt64        = 7  // DATA_TYPE_INT64, sys/contrib/openzfs/include/sys/nvpair.h:47
	typeUint64       = 8  // DATA_TYPE_UINT64, sys/contrib/openzfs/include/sys/nvpair.h:48
	typeString       = 9  // DATA_TYPE_STRING, sys/contrib/openzfs/include/sys/nvpair.h:49
	typeByteArray    = 10 // DATA_TYPE_BYTE_ARRAY, sys/contrib/openzfs/include/sys/nvpair.h:50
	typeUint64Array  = 16 // DATA_TYPE_UINT64_ARRAY, sys/contrib/openzfs/include/sys/nvpair.h:56
	typeStringArray  = 17 // DATA_TYPE_STRING_ARRAY, sys/contrib/openzfs/include/sys/nvpair.h:57
	typeList         = 19 // DATA_TYPE_NVLIST, sys/contrib/openzfs/include/sys/nvpair.h:59
	typeListArray    = 20 // DATA_TYPE_NVLIST_ARRAY, sys/contrib/openzfs/include/sys/nvpair.h:60
	typeBooleanValue = 21 // DATA_TYPE_BOOLEAN_VALUE, sys/contrib/openzfs/include/sys/nvpair.h:61
	typeUint8        = 23 // DATA_TYPE_UINT8, sys/contrib/openzfs/include/sys/nvpair.h:63
	typeUint8Array   = 26 // DATA_TYPE_UINT8_ARRAY, sys/contrib/openzfs/include/sys/nvpair.h:70
)
