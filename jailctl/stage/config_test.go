package stage

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"testing"
)

func TestMessage_RoundTrip_Same(t *testing.T) {
	mask := uint32(0o27)
	want := Config{JID: 7, Args: []string{"sh", "-c", "x"}, Env: []string{"A=b"}, Cwd: "/", Groups: []int{1, 2}, Umask: &mask,
		Rlimits: []Rlimit{{8, 1, ^uint64(0)}}, Hooks: []Hook{{Path: "/h", State: []byte("{}")}}}
	var b bytes.Buffer
	if err := writeMessage(&b, want); err != nil {
		t.Fatal(err)
	}
	whole := b.Bytes()
	var got Config
	if err := readMessage(bytes.NewReader(whole), &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for n := range len(whole) {
		err := readMessage(bytes.NewReader(whole[:n]), &got)
		if n == 0 && !errors.Is(err, io.EOF) || n > 0 && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("first %d bytes: got error %v", n, err)
		}
	}
}

func TestMessage_TooLong_Refused(t *testing.T) {
	if err := readMessage(bytes.NewReader([]byte{0xff, 0xff, 0xff, 0xff}), new(Config)); err == nil {
		t.Error("a message of 4 GiB was accepted")
	}
	if err := writeMessage(io.Discard, make([]byte, maxMessage)); err == nil {
		t.Error("a message was sent that nobody reads")
	}
}

func TestEnviron_LastSettingCounts(t *testing.T) {
	got, ok := environ([]string{"PATH=/a", "X=PATH=/b", "PATH=/c", "PATHS=/d"}, "PATH")
	if got != "/c" || !ok {
		t.Errorf("got %q, %v", got, ok)
	}
	if _, ok := environ(nil, "PATH"); ok {
		t.Error("found in an empty environment")
	}
}

func TestLookup(t *testing.T) {
	for _, tt := range []struct {
		name    string
		config  Config
		want    string
		missing bool
	}{
		{"by path", Config{Args: []string{"/bin/sh"}, Cwd: "/"}, "/bin/sh", false},
		{"by relative path", Config{Args: []string{"bin/sh"}, Cwd: "/"}, "/bin/sh", false},
		{"in PATH", Config{Args: []string{"sh"}, Env: []string{"PATH=/nowhere:/bin"}, Cwd: "/"}, "/bin/sh", false},
		{"in an empty element of PATH", Config{Args: []string{"sh"}, Env: []string{"PATH="}, Cwd: "/bin"}, "/bin/sh", false},
		{"without PATH", Config{Args: []string{"env"}, Cwd: "/"}, "/usr/bin/env", false},
		{"a folder", Config{Args: []string{"/bin/"}, Cwd: "/"}, "", true},
		{"a file that is no program", Config{Args: []string{"/etc/passwd"}, Cwd: "/"}, "", true},
		{"nothing", Config{Args: []string{"/no/such"}, Cwd: "/"}, "", true},
		{"nothing in PATH", Config{Args: []string{"no-such"}, Env: []string{"PATH=/bin"}, Cwd: "/"}, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := (&child{config: tt.config}).lookup()
			if got != tt.want || (err != nil) != tt.missing || err != nil && !err.Missing {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}
