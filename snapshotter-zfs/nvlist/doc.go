// Package nvlist encodes and decodes the lists of name-value pairs in which ZFS's
// kernel module takes requests and gives replies, in their native little-endian form
// (NV_ENCODE_NATIVE): the module takes that or XDR, and always answers in it.
//
// The form, with all numbers little-endian and all parts padded to 8 bytes:
//
//	header  u8 encoding 0, u8 endian 1, u8 0, u8 0         only once, at the beginning
//	list    i32 version 0, u32 flags 1 (unique names)      only of the outermost list
//	pair*   i32 size of the pair, i16 size of the name with its NUL, i16 0,
//	        i32 number of elements, i32 type, name, value
//	end     i32 0
//
// A list as a value is 24 bytes, {i32 0, u32 flags, u64 0, u32 0, i32 0}, and its pairs
// and end follow the pair that holds it, not counted in that one's size. An array of
// lists is 8 bytes and then 24 for each, and their pairs and ends follow. An array of
// strings is 8 bytes for each, and then the strings with their NULs.
//
// The decoder takes what the kernel's encoder makes and nothing else: sizes must be
// exact, names unique, types known. It never panics, and allocates no more than a
// small multiple of its input. The package makes no system call and needs no
// particular system.
//
// Source: nvs_native* in sys/contrib/openzfs/module/nvpair/nvpair.c.
package nvlist
