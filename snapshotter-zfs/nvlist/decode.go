package nvlist

import (
	"bytes"
	"fmt"
)

// Decode decodes a whole list; b holds nothing after it. Errors wrap [ErrFormat].
func Decode(b []byte) (List, error) {
	d := decoder{b: b}
	l, err := d.decode()
	if err != nil {
		return nil, fmt.Errorf("decode nvlist: byte %d: %w: %w", d.off, ErrFormat, err)
	}
	return l, nil
}

type decoder struct {
	b   []byte
	off int // where the decoder is, for errors too
}

func (d *decoder) decode() (List, error) {
	if len(d.b) > MaxSize {
		return nil, fmt.Errorf("%d bytes, more than %d", len(d.b), MaxSize)
	}
	head, err := d.take(prefixSize)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(head[:headerSize], []byte{encodingNative, endianLittle, 0, 0}) {
		return nil, fmt.Errorf("header % x", head[:headerSize])
	}
	if version := le.Uint32(head[headerSize:]); version != listVersion {
		return nil, fmt.Errorf("version %d", version)
	}
	l, err := d.pairs(1)
	if err != nil {
		return nil, err
	}
	if d.off != len(d.b) {
		return nil, fmt.Errorf("%d bytes after the end", len(d.b)-d.off)
	}
	return l, nil
}

// take returns the next n bytes.
func (d *decoder) take(n int) ([]byte, error) {
	if n < 0 || n > len(d.b)-d.off {
		return nil, fmt.Errorf("%d bytes wanted, %d left", n, len(d.b)-d.off)
	}
	b := d.b[d.off : d.off+n : d.off+n]
	d.off += n
	return b, nil
}

// pairs decodes pairs up to the end of their list.
func (d *decoder) pairs(depth int) (List, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("more than %d lists in each other", maxDepth)
	}
	l := List{}
	for {
		if len(d.b)-d.off < endSize {
			return nil, fmt.Errorf("no end of a list")
		}
		size := int(int32(le.Uint32(d.b[d.off:])))
		if size == 0 {
			d.off += endSize
			break
		}
		pair, err := d.take(size)
		if err != nil {
			return nil, err
		}
		p, err := d.pair(pair, depth)
		if err != nil {
			return nil, err
		}
		l = append(l, p)
	}
	if name, ok := duplicate(l); ok {
		return nil, fmt.Errorf("%q is there twice", name)
	}
	return l, nil
}

// pair decodes a pair, and the lists that follow it if it holds lists.
func (d *decoder) pair(b []byte, depth int) (Pair, error) {
	if len(b) < offName {
		return Pair{}, fmt.Errorf("a pair of %d bytes", len(b))
	}
	nameSize := int(int16(le.Uint16(b[offNameSize:])))
	if nameSize < 2 || nameSize > len(b)-offName {
		return Pair{}, fmt.Errorf("a name of %d bytes", nameSize)
	}
	name := b[offName : offName+nameSize]
	if bytes.IndexByte(name, 0) != nameSize-1 {
		return Pair{}, fmt.Errorf("a name without its end: %.40q", name)
	}
	value := align(offName + nameSize)
	if value > len(b) {
		return Pair{}, fmt.Errorf("%q: no value", name[:nameSize-1])
	}
	p := Pair{Name: string(name[:nameSize-1])}
	elements, kind := int(int32(le.Uint32(b[offElements:]))), int(int32(le.Uint32(b[offType:])))
	var err error
	if p.Value, err = d.value(kind, elements, b[value:], depth); err != nil {
		return Pair{}, fmt.Errorf("%q: type %d, %d elements, %d bytes: %w", p.Name, kind, elements, len(b)-value, err)
	}
	return p, nil
}

// sizes are the sizes of an element of the types without more to them.
var sizes = map[int]int{
	typeBooleanValue: 4, typeUint8: 1, typeInt32: 4, typeUint32: 4, typeInt64: 8, typeUint64: 8,
	typeByteArray: 1, typeUint8Array: 1, typeUint64Array: 8,
	typeList: listSize, typeListArray: pointerSize + listSize,
}

// value decodes a value. b is all that the pair has for it, with padding.
func (d *decoder) value(kind, elements int, b []byte, depth int) (any, error) {
	switch kind {
	case typeBooleanValue, typeUint8, typeInt32, typeUint32, typeInt64, typeUint64, typeString, typeList:
		if elements != 1 {
			return nil, fmt.Errorf("not one element")
		}
	case typeBoolean:
		if elements != 0 || len(b) != 0 {
			return nil, fmt.Errorf("more than nothing")
		}
		return Boolean{}, nil
	}
	if elements < 0 || elements > len(b) {
		return nil, fmt.Errorf("too many elements")
	}
	if size, ok := sizes[kind]; ok && align(elements*size) != len(b) {
		return nil, fmt.Errorf("not the size of such a value")
	}
	switch kind {
	case typeString:
		s, err := stringsOf(b, 1)
		if err != nil {
			return nil, err
		}
		return s[0], nil
	case typeStringArray:
		if elements > len(b)/pointerSize {
			return nil, fmt.Errorf("too many elements")
		}
		return stringsOf(b[elements*pointerSize:], elements)
	case typeList:
		return d.pairs(depth + 1)
	case typeListArray:
		lists := make([]List, elements)
		for i := range lists {
			var err error
			if lists[i], err = d.pairs(depth + 1); err != nil {
				return nil, err
			}
		}
		return lists, nil
	}
	return number(kind, elements, b)
}

// number decodes numbers. The size of b has been checked.
func number(kind, elements int, b []byte) (any, error) {
	switch kind {
	case typeBooleanValue:
		if n := le.Uint32(b); n > 1 {
			return nil, fmt.Errorf("%d is neither true nor false", n)
		}
		return le.Uint32(b) == 1, nil
	case typeUint8:
		return b[0], nil
	case typeInt32:
		return int32(le.Uint32(b)), nil
	case typeUint32:
		return le.Uint32(b), nil
	case typeInt64:
		return int64(le.Uint64(b)), nil
	case typeUint64:
		return le.Uint64(b), nil
	case typeByteArray:
		return Bytes(bytes.Clone(b[:elements])), nil
	case typeUint8Array:
		return bytes.Clone(b[:elements]), nil
	case typeUint64Array:
		list := make([]uint64, elements)
		for i := range list {
			list[i] = le.Uint64(b[8*i:])
		}
		return list, nil
	}
	return nil, fmt.Errorf("unknown type")
}

// stringsOf decodes n strings, which fill b but for padding.
func stringsOf(b []byte, n int) ([]string, error) {
	list := make([]string, 0, n)
	off := 0
	for range n {
		end := bytes.IndexByte(b[off:], 0)
		if end < 0 {
			return nil, fmt.Errorf("a string without its end")
		}
		list = append(list, string(b[off:off+end]))
		off += end + 1
	}
	if align(off) != len(b) {
		return nil, fmt.Errorf("not the size of such a value")
	}
	return list, nil
}
