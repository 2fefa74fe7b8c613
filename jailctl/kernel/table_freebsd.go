package kernel

import "sync"

// tables holds the memory into which the kernel copies its large tables, between
// two of them.
var tables = sync.Pool{New: func() any { return new([]byte) }}

// withTable calls f with memory of at least size bytes. F returns what is kept for
// the next call, the same or larger, and nothing it returns otherwise may be in it.
func withTable(size int, f func(room []byte) (keep []byte, err error)) error {
	room := tables.Get().(*[]byte)
	defer tables.Put(room)
	if len(*room) < size {
		*room = make([]byte, size)
	}
	var err error
	*room, err = f(*room)
	return err
}
