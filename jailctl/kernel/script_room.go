package kernel

import (
	"fmt"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// room is memory that is not Go's: nothing in it moves, the collector does not look
// at it, and it lies in mappings of its own, which a child inherits without Go's memory.
type room struct {
	mappings [][]byte
	left     []byte // of the last one
}

// roomSize is the least that is mapped. What is not touched is not there.
const roomSize = 256 << 10

// take returns zeroed memory for size bytes, aligned for anything.
func (r *room) take(size int) ([]byte, error) {
	const align = 16
	size = (size + align - 1) &^ (align - 1)
	if size > len(r.left) {
		b, err := unix.Mmap(-1, 0, max(size, roomSize), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
		if err != nil {
			return nil, fmt.Errorf("map %d bytes of memory: %w", max(size, roomSize), err)
		}
		r.mappings, r.left = append(r.mappings, b), b
	}
	b := r.left[:size:size]
	r.left = r.left[size:]
	return b, nil
}

// release gives all of it back. Nothing of it may be used any more, and no pointer to it
// be left: its addresses may become the heap's.
func (r *room) release() {
	for _, b := range r.mappings {
		// It fails only for what is no mapping.
		_ = unix.Munmap(b)
	}
	*r = room{}
}

// child is what a forked child reads of the script. It is in the script's room, as is
// everything that it points to.
type child struct {
	steps   []step
	control uintptr
	// What the child itself writes: a struct stat, a byte that it reads, its answer.
	scratch [statSize]byte
}

// inRoom returns a copy of list in the script's room. If there is no memory for it,
// the script fails.
func inRoom[T any](s *Script, list []T) []T {
	if len(list) == 0 {
		return nil
	}
	b, err := s.room.take(len(list) * int(unsafe.Sizeof(list[0])))
	if err != nil {
		s.fail(err)
		return slices.Clone(list)
	}
	theirs := unsafe.Slice((*T)(pointer(b)), len(list))
	copy(theirs, list)
	return theirs
}

// string returns a copy of v in the script's room.
func (s *Script) string(v string) string {
	b := inRoom(s, []byte(v))
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// done gives back what was for the child.
func (s *Script) done() {
	s.steps, s.child = nil, nil
	s.room.release()
}

// memory returns what will be the child's.
func (s *Script) memory() *child {
	if s.child == nil {
		s.child = &inRoom(s, make([]child, 1))[0]
	}
	return s.child
}

// compile completes what the child reads.
func (s *Script) compile() *child {
	c := s.memory()
	c.control = uintptr(s.control)
	c.steps = inRoom(s, s.steps)
	var last, copied string // many steps in a row are called the same
	for i := range c.steps {
		st := &c.steps[i]
		if st.what != last {
			last, copied = st.what, s.string(st.what)
		}
		st.what, st.allow = copied, inRoom(s, st.allow)
	}
	return c
}
