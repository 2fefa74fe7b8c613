package jailctl

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Root in a container may make its program whatever it likes. A fifo, opened as files
// are, waits for somebody who writes: each later exec would hang.
func TestLinuxProgram_NoFile_IsNotOpened(t *testing.T) {
	dir, err := os.MkdirTemp("", "jt-") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := unix.Mkfifo(filepath.Join(dir, "fifo"), 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	symlink("fifo", "link")(t, dir)
	symlink("..", "folder/up")(t, dir)
	for root, programs := range map[string][]string{
		dir: {"/fifo", "/link", "/folder/up/link", "/fifo/x", "/socket", "/folder", "/missing"},
		"/": {"/dev/null", "/dev/zero"},
	} {
		for _, program := range programs {
			done := make(chan bool, 1)
			go func() { done <- linuxProgram(root, program) }()
			select {
			case linux := <-done:
				if linux {
					t.Errorf("%s is a program for Linux", program)
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("%s: it is waited for", program)
			}
		}
	}
}

func TestLinuxProgram_Branded_Found(t *testing.T) {
	root := t.TempDir()
	head := make([]byte, 64)
	copy(head, "\x7fELF\x02\x01\x01\x03") // ELFOSABI_LINUX
	head[54] = 56                         // the size of a program header, of which there is none
	if err := os.WriteFile(filepath.Join(root, "program"), head, 0o755); err != nil {
		t.Fatal(err)
	}
	symlink("/program", "bin/link")(t, root)
	for _, program := range []string{"/program", "/bin/link"} {
		if !linuxProgram(root, program) {
			t.Errorf("%s is no program for Linux", program)
		}
	}
}
