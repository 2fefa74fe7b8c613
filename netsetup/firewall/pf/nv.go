package pf

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// This is the form of libnv's nvlist_pack(9), a name-value list as the kernel's pf
// takes and gives it; not that of ZFS.

var le = binary.LittleEndian

// nvWriter appends pairs to a list. Its zero value is not one: see newNV.
type nvWriter struct {
	b       []byte
	headers []int // where headers are, whose size is set at the end
}

func newNV() *nvWriter {
	w := &nvWriter{}
	w.header()
	return w
}

func (w *nvWriter) header() {
	w.headers = append(w.headers, len(w.b))
	w.b = append(w.b, nvMagic)
	w.b = append(w.b, make([]byte, nvHeaderSize-1)...)
}

func (w *nvWriter) pair(kind byte, name string, size, items int) {
	w.b = append(w.b, kind)
	w.b = le.AppendUint16(w.b, uint16(len(name)+1))
	w.b = le.AppendUint64(w.b, uint64(size))
	w.b = le.AppendUint64(w.b, uint64(items))
	w.b = append(append(w.b, name...), 0)
}

func (w *nvWriter) bool(name string, v bool) {
	w.pair(nvBool, name, 1, 0)
	b := byte(0)
	if v {
		b = 1
	}
	w.b = append(w.b, b)
}

func (w *nvWriter) number(name string, v uint64) {
	w.pair(nvNumber, name, 8, 0)
	w.b = le.AppendUint64(w.b, v)
}

func (w *nvWriter) numbers(name string, v ...uint64) {
	w.pair(nvNumberArray, name, 8*len(v), len(v))
	for _, n := range v {
		w.b = le.AppendUint64(w.b, n)
	}
}

func (w *nvWriter) string(name, v string) {
	w.pair(nvString, name, len(v)+1, 0)
	w.b = append(append(w.b, v...), 0)
}

func (w *nvWriter) binary(name string, v []byte) {
	w.pair(nvBinary, name, len(v), 0)
	w.b = append(w.b, v...)
}

// list appends a list of the pairs that fill adds.
func (w *nvWriter) list(name string, fill func()) {
	at := len(w.b)
	w.pair(nvList, name, 0, 0)
	start := len(w.b)
	w.header()
	fill()
	le.PutUint64(w.b[at+offPairData:], uint64(len(w.b)-start))
	w.pair(nvUp, "", 0, 0)
}

// bytes returns the list. Each header tells how much follows, to the end of all.
func (w *nvWriter) bytes() []byte {
	for _, at := range w.headers {
		le.PutUint64(w.b[at+offNVSize:], uint64(len(w.b)-at-nvHeaderSize))
	}
	return w.b
}

var errShortNV = errors.New("a name-value list that is cut short")

// nvBoolAt returns a boolean of the outermost list.
func nvBoolAt(b []byte, name string) (bool, error) {
	rest, err := nvSkipHeader(b)
	depth := 0
	for err == nil && len(rest) > 0 {
		var p nvPair
		if p, rest, err = nvNext(rest); err != nil {
			break
		}
		switch p.kind {
		case nvList:
			depth++
			rest, err = nvSkipHeader(rest)
		case nvUp:
			depth--
		case nvBool:
			if depth == 0 && p.name == name {
				return p.data[0] != 0, nil
			}
		case nvListArray, nvArrayNext:
			return false, fmt.Errorf("a name-value list with an array of lists before %q", name)
		}
		if depth < 0 {
			return false, errors.New("a name-value list that ends more often than it begins")
		}
	}
	if err != nil {
		return false, err
	}
	return false, fmt.Errorf("a name-value list without %q", name)
}

type nvPair struct {
	kind byte
	name string
	data []byte // of a list: none
}

func nvSkipHeader(b []byte) ([]byte, error) {
	if len(b) < nvHeaderSize {
		return nil, errShortNV
	}
	rest := b[nvHeaderSize:]
	if b[0] != nvMagic || b[1] != 0 || b[offNVFlags]&^nvFlagsAllowed != 0 {
		return nil, fmt.Errorf("no name-value list: it begins with % x", b[:offNVFlags+1])
	}
	if le.Uint64(b[offNVSize:]) != uint64(len(rest)) {
		return nil, errShortNV
	}
	return rest, nil
}

func nvNext(b []byte) (p nvPair, rest []byte, err error) {
	if len(b) < nvPairSize {
		return p, nil, errShortNV
	}
	p.kind = b[0]
	names, size := int(le.Uint16(b[offPairName:])), le.Uint64(b[offPairData:])
	b = b[nvPairSize:]
	if len(b) < names || names == 0 || b[names-1] != 0 {
		return p, nil, errShortNV
	}
	p.name, b = string(b[:names-1]), b[names:]
	if p.kind == nvList || p.kind == nvUp {
		return p, b, nil
	}
	if size > uint64(len(b)) || p.kind == nvBool && size != 1 {
		return p, nil, errShortNV
	}
	p.data = b[:size]
	return p, b[size:], nil
}
