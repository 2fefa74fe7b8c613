package kernel

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

func TestReadAnswer(t *testing.T) {
	var b [answerSize]byte
	putAnswer(&b, 0, opReady)
	if err := ReadAnswer(bytes.NewReader(b[:])); err != nil {
		t.Errorf("all is well: %v", err)
	}
	for o, about := range map[op]bool{opCall: false, opFound: true, opExec: true, opSocket: false} {
		putAnswer(&b, 0x1234, o)
		var e *StepError
		err := ReadAnswer(strings.NewReader(string(b[:]) + "step x"))
		if !errors.As(err, &e) || *e != (StepError{Step: "step x", Errno: 0x1234, Program: about}) {
			t.Errorf("step of kind %d: %v", o, err)
		}
	}
	if e := new(StepError); !errors.As(ReadAnswer(strings.NewReader(string(b[:])+"step x\x00said\x00\x00")), &e) || e.Step != "step x" || e.detail != "said" {
		t.Errorf("with what the kernel said: %+v", e)
	}
	for n := range answerSize {
		err := ReadAnswer(bytes.NewReader(b[:n]))
		if n == 0 && !errors.Is(err, io.EOF) || n > 0 && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("first %d bytes: %v", n, err)
		}
	}
	long := strings.NewReader(string(b[:]) + strings.Repeat("x", 2*maxWhat))
	if e := new(StepError); !errors.As(ReadAnswer(long), &e) || len(e.Step) != maxWhat {
		t.Errorf("a long text is %d bytes", len(e.Step))
	}
}

func TestIsProgram(t *testing.T) {
	for mode, want := range map[uint16]bool{
		0o100755: true, 0o100001: true, 0o100644: false, 0o040755: false, 0o120777: false, 0o104711: true,
	} {
		var stat [statSize]byte
		stat[offStatMode], stat[offStatMode+1] = byte(mode), byte(mode>>8)
		if got := isProgram(&stat); got != want {
			t.Errorf("%#o: %v", mode, got)
		}
	}
}

// Descriptors whose numbers are places of others are moved away first, all of them
// before any gets its place.
func TestScript_Descriptors(t *testing.T) {
	s := new(Script)
	s.Descriptors([]int{1, 0, 9}, 2)
	type dup struct{ from, how, to uintptr }
	var got []dup
	for _, st := range s.steps[:len(s.steps)-1] {
		got = append(got, dup{st.args[0].n, st.args[1].n, st.args[2].n})
	}
	want := []dup{{1, fDup2FDCloexec, 10}, {0, fDup2FDCloexec, 11}, {10, fDup2FD, 0}, {11, fDup2FD, 1}, {9, fDup2FDCloexec, 2}}
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	if last := s.steps[len(s.steps)-1]; last.trap != sysCloseRange || last.args[0].n != 3 || s.control != 2 {
		t.Errorf("the last step is %+v, the socket %d", last, s.control)
	}
}

func TestScript_Find_WhereToLook(t *testing.T) {
	for _, tt := range []struct {
		name string
		env  []string
		want string
	}{
		{"/bin/sh", nil, "/bin/sh"},
		{"bin/sh", nil, "/home/bin/sh"},
		{"sh", []string{"PATH=/a:b:", "PATHS=/x", "PATH=/c::/d"}, "/c/sh /home/sh /d/sh"},
		{"sh", nil, "/usr/bin/sh /bin/sh /usr/sbin/sh /sbin/sh /usr/local/bin/sh /usr/local/sbin/sh"},
		{"sh", []string{"PATH="}, "/home/sh"},
	} {
		s := new(Script)
		s.Find(tt.name, "/home", tt.env)
		var got []string
		for _, st := range s.steps {
			if st.op == opFind {
				got = append(got, stringAt(st.args[1]))
			}
		}
		if strings.Join(got, " ") != tt.want || s.steps[len(s.steps)-1].op != opFound {
			t.Errorf("%s with %v: got %v, want %s", tt.name, tt.env, got, tt.want)
		}
	}
}

// A kernel without IPv6 has no socket for it, which the requests may allow.
func TestScript_Requests_OneSocketForEachKind(t *testing.T) {
	s := new(Script)
	s.Descriptors([]int{5, 6, 7}, 2)
	before := len(s.steps)
	s.Requests([]Request{
		{Domain: 2, Ioctl: 1, Data: []byte{1}, What: "a"},
		{Domain: 28, Ioctl: 2, Data: make([]byte, 16), Indirect: []byte("x"), Offset: 8, Allow: []syscall.Errno{syscall.EAFNOSUPPORT}, What: "b"},
		{Domain: 2, Ioctl: 3, Data: []byte{1}, What: "c"},
		{Domain: 17, Data: []byte{1}, What: "d"},
	})
	var got []string
	for _, st := range s.steps[before:] {
		got = append(got, st.what)
	}
	want := "a: open a socket|a|b: open a socket|b|c|d: open a socket|d|close sockets"
	if strings.Join(got, "|") != want || s.err != nil {
		t.Errorf("got %s, %v, want %s", strings.Join(got, "|"), s.err, want)
	}
	if fd := s.steps[before+2].args[3].n; fd != 4 {
		t.Errorf("the second socket is %d, want 4", fd)
	}
	if d := s.steps[before+6]; d.trap != sysWrite || d.args[0].n != 5 || d.args[2].n != 1 {
		t.Errorf("a message is %+v", d)
	}
}

// stringAt is the text that an argument points to.
func stringAt(a argument) string {
	var b []byte
	for p := (*byte)(a.p); *p != 0; p = (*byte)(unsafe.Add(unsafe.Pointer(p), 1)) {
		b = append(b, *p)
	}
	return string(b)
}

func TestScript_BadInput(t *testing.T) {
	for name, steps := range map[string]func(*Script){
		"NUL in a path":     func(s *Script) { s.TryChdir("/a\x00b") },
		"NUL in a variable": func(s *Script) { s.Exec([]string{"x"}, []string{"A=\x00"}) },
		"long login class":  func(s *Script) { s.LoginClass(strings.Repeat("x", loginClassSize)) },
		"negative user":     func(s *Script) { s.User(-1, 0, nil) },
		"negative group":    func(s *Script) { s.User(0, -1, nil) },
		"too many groups":   func(s *Script) { s.User(0, 0, make([]int, maxGroups)) },
		"address beyond the data": func(s *Script) {
			s.Requests([]Request{{Domain: 2, Ioctl: 1, Data: make([]byte, 8), Indirect: []byte{1}, Offset: 1}})
		},
	} {
		s := new(Script)
		steps(s)
		if pid, err := s.Fork(); err == nil || errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: process %d, %v", name, pid, err)
		}
	}
}

// Memory for a child is aligned, zeroed and apart, however much there is of it.
func TestRoom(t *testing.T) {
	var r room
	var all [][]byte
	for _, size := range []int{1, 16, 17, roomSize, 3 * roomSize, 8} {
		b, err := r.take(size)
		if err != nil {
			t.Fatal(err)
		}
		if at := uintptr(pointer(b)); len(b) < size || at%16 != 0 {
			t.Errorf("%d bytes at %#x, want %d", len(b), at, size)
		}
		for i := range b {
			if b[i] != 0 {
				t.Fatalf("byte %d of %d is %d", i, size, b[i])
			}
			b[i] = byte(len(all) + 1)
		}
		all = append(all, b)
	}
	for i, b := range all {
		if b[0] != byte(i+1) || b[len(b)-1] != byte(i+1) {
			t.Errorf("piece %d has bytes of another", i)
		}
	}
	if len(r.mappings) != 4 {
		t.Errorf("%d mappings, want 4", len(r.mappings))
	}
	r.release()
	if b, err := r.take(1); err != nil || len(r.mappings) != 1 {
		t.Errorf("after release: %d bytes, %v, %d mappings", len(b), err, len(r.mappings))
	}
	r.release()
}
