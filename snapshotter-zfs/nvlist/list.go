package nvlist

import "errors"

// List is a list of pairs with different names, in their order.
type List []Pair

// Pair is a name with a value, whose Go type tells its type in the list:
//
//	Boolean   DATA_TYPE_BOOLEAN: there, without a value
//	bool      DATA_TYPE_BOOLEAN_VALUE
//	uint8     DATA_TYPE_UINT8
//	int32     DATA_TYPE_INT32
//	uint32    DATA_TYPE_UINT32
//	int64     DATA_TYPE_INT64
//	uint64    DATA_TYPE_UINT64
//	string    DATA_TYPE_STRING, without a zero byte
//	Bytes     DATA_TYPE_BYTE_ARRAY
//	[]uint8   DATA_TYPE_UINT8_ARRAY
//	[]uint64  DATA_TYPE_UINT64_ARRAY
//	[]string  DATA_TYPE_STRING_ARRAY
//	List      DATA_TYPE_NVLIST
//	[]List    DATA_TYPE_NVLIST_ARRAY
type Pair struct {
	Name  string
	Value any
}

// Boolean is the value of a pair that says all by being there.
type Boolean struct{}

// Bytes is an array of what the format calls bytes, which is not one of numbers.
type Bytes []byte

// ErrFormat is wrapped by all errors of [Decode].
var ErrFormat = errors.New("not an nvlist as ZFS makes it")

// MaxSize is the largest encoded list, in bytes: more than ZFS gives in one reply.
const MaxSize = 256 << 20

// Value returns the value of a pair, and whether it is in the list with that type.
func Value[T any](l List, name string) (T, bool) {
	for _, p := range l {
		if p.Name == name {
			v, ok := p.Value.(T)
			return v, ok
		}
	}
	var zero T
	return zero, false
}

// Number returns the value of a pair with any type of number. Channel programs give
// all numbers as signed: one from 2^63 on comes as negative, and is what it was again.
func Number(l List, name string) (uint64, bool) {
	for _, p := range l {
		if p.Name != name {
			continue
		}
		switch v := p.Value.(type) {
		case uint64:
			return v, true
		case int64:
			return uint64(v), true
		case uint32:
			return uint64(v), true
		case int32:
			return uint64(int64(v)), true
		case uint8:
			return uint64(v), true
		}
	}
	return 0, false
}
