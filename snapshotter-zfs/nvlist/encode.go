package nvlist

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
)

var le = binary.LittleEndian

// Encode encodes a list. It fails for a value of another type than [Pair] tells, for a
// name that is empty or there twice, for a zero byte in a name or a string, and beyond
// the limits of depth and size.
func Encode(l List) ([]byte, error) {
	b := make([]byte, prefixSize, 512)
	b[0], b[1] = encodingNative, endianLittle
	le.PutUint32(b[headerSize:], listVersion)
	le.PutUint32(b[headerSize+4:], uniqueNames)
	b, err := appendPairs(b, l, 1)
	if err != nil {
		return nil, fmt.Errorf("encode nvlist: %w", err)
	}
	if len(b) > MaxSize {
		return nil, fmt.Errorf("encode nvlist: %d bytes, more than %d", len(b), MaxSize)
	}
	return b, nil
}

// appendPairs appends the pairs of a list and its end.
func appendPairs(b []byte, l List, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("more than %d lists in each other", maxDepth)
	}
	if name, ok := duplicate(l); ok {
		return nil, fmt.Errorf("%q is there twice", name)
	}
	for _, p := range l {
		var err error
		if b, err = appendPair(b, p, depth); err != nil {
			return nil, err
		}
	}
	return append(b, 0, 0, 0, 0), nil
}

func appendPair(b []byte, p Pair, depth int) ([]byte, error) {
	if p.Name == "" || strings.ContainsRune(p.Name, 0) || len(p.Name) >= math.MaxInt16 {
		return nil, fmt.Errorf("%.40q cannot be a name", p.Name)
	}
	start := len(b)
	b = append(b, make([]byte, offName)...)
	b = append(append(b, p.Name...), 0)
	b = pad(b, start)
	kind, elements, b, err := appendValue(b, p.Value)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", p.Name, err)
	}
	b = pad(b, start)
	if len(b)-start > MaxSize || elements > MaxSize {
		return nil, fmt.Errorf("%q: more than %d bytes", p.Name, MaxSize)
	}
	le.PutUint32(b[start:], uint32(len(b)-start))
	le.PutUint16(b[start+offNameSize:], uint16(len(p.Name)+1))
	le.PutUint32(b[start+offElements:], uint32(elements))
	le.PutUint32(b[start+offType:], uint32(kind))
	switch v := p.Value.(type) {
	case List:
		return appendPairs(b, v, depth+1)
	case []List:
		for _, l := range v {
			if b, err = appendPairs(b, l, depth+1); err != nil {
				return nil, err
			}
		}
	}
	return b, nil
}

// appendValue appends what a pair holds itself, and tells type and number of elements.
func appendValue(b []byte, value any) (kind, elements int, _ []byte, err error) {
	switch v := value.(type) {
	case Boolean:
		return typeBoolean, 0, b, nil
	case bool:
		return typeBooleanValue, 1, le.AppendUint32(b, boolNumber(v)), nil
	case uint8:
		return typeUint8, 1, append(b, v), nil
	case int32:
		return typeInt32, 1, le.AppendUint32(b, uint32(v)), nil
	case uint32:
		return typeUint32, 1, le.AppendUint32(b, v), nil
	case int64:
		return typeInt64, 1, le.AppendUint64(b, uint64(v)), nil
	case uint64:
		return typeUint64, 1, le.AppendUint64(b, v), nil
	case string:
		b, err := appendString(b, v)
		return typeString, 1, b, err
	case Bytes:
		return typeByteArray, len(v), append(b, v...), nil
	case []uint8:
		return typeUint8Array, len(v), append(b, v...), nil
	case []uint64:
		for _, n := range v {
			b = le.AppendUint64(b, n)
		}
		return typeUint64Array, len(v), b, nil
	case []string:
		b = append(b, make([]byte, pointerSize*len(v))...)
		for _, s := range v {
			if b, err = appendString(b, s); err != nil {
				return 0, 0, nil, err
			}
		}
		return typeStringArray, len(v), b, nil
	case List:
		return typeList, 1, appendList(b), nil
	case []List:
		b = append(b, make([]byte, pointerSize*len(v))...)
		for range v {
			b = appendList(b)
		}
		return typeListArray, len(v), b, nil
	}
	return 0, 0, nil, fmt.Errorf("a value of type %T", value)
}

func appendString(b []byte, s string) ([]byte, error) {
	if strings.ContainsRune(s, 0) {
		return nil, fmt.Errorf("a zero byte in %.40q", s)
	}
	return append(append(b, s...), 0), nil
}

// appendList appends what stands for a list in the pair that holds it.
func appendList(b []byte) []byte {
	b = append(b, make([]byte, listSize)...)
	le.PutUint32(b[len(b)-listSize+offListFlag:], uniqueNames)
	return b
}

// pad fills up to 8 bytes, counted from start.
func pad(b []byte, start int) []byte {
	return append(b, make([]byte, align(len(b)-start)-(len(b)-start))...)
}

func align(n int) int { return (n + 7) &^ 7 }

func boolNumber(v bool) uint32 {
	if v {
		return 1
	}
	return 0
}

// duplicate returns a name that is in a list twice.
func duplicate(l List) (string, bool) {
	if len(l) < 2 {
		return "", false
	}
	seen := make(map[string]bool, len(l))
	for _, p := range l {
		if seen[p.Name] {
			return p.Name, true
		}
		seen[p.Name] = true
	}
	return "", false
}
