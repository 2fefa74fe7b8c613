package kernel

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// stageTrim lets go of its program, goes on for a while, and says by how much less memory
// it had at first.
func stageTrim() error {
	before, err := ProcessByID(os.Getpid())
	if err != nil {
		return err
	}
	freed, err := TrimProgram()
	if err != nil {
		if errors.Is(err, unix.ENOENT) {
			return ready("ENOENT")
		}
		return err
	}
	after, err := ProcessByID(os.Getpid())
	if err != nil {
		return err
	}
	// Code and constants that were in memory come back, also where others look for them.
	for range 3 {
		runtime.GC()
		if buf := make([]byte, 1<<16); runtime.Stack(buf, true) == 0 {
			return errors.New("no stack")
		}
	}
	if _, err := TrimProgram(); err != nil {
		return fmt.Errorf("again: %w", err)
	}
	return ready(fmt.Sprintf("%d %d", freed, before.RSS-after.RSS))
}

func TestTrimProgram_TakesLessMemory(t *testing.T) {
	var freed, less int64
	s := startStage(t, testBinary(t), "trim")
	if _, err := fmt.Sscan(s.said, &freed, &less); err != nil {
		t.Fatalf("%s: %v", s.said, err)
	}
	t.Logf("%d bytes let go, %d less resident", freed, less)
	// What the kernel maps with the first page, and what is used at once, is back.
	if freed < 1<<20 || less < freed/4 {
		t.Errorf("%d bytes let go, %d less resident", freed, less)
	}
	// Its file is still one that is being executed.
	if f, err := os.OpenFile(s.Path, os.O_WRONLY, 0); !errors.Is(err, unix.ETXTBSY) {
		t.Errorf("opening the program to write: got %v, %v, want ETXTBSY", f, err)
	}
}

// After an upgrade there is another program where the one was that is executed.
func TestTrimProgram_OtherFile_Refused(t *testing.T) {
	text, err := os.ReadFile(testBinary(t).Path)
	if err != nil {
		t.Fatal(err)
	}
	old, other := filepath.Join(t.TempDir(), "program"), filepath.Join(t.TempDir(), "other")
	for _, path := range []string{old, other} {
		if err := os.WriteFile(path, text, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := testBinary(t, "KERNEL_TEST_REPLACED="+other)
	cmd.Path, cmd.Args = old, []string{old}
	if s := startStage(t, cmd, "replaced"); s.said != "ENOENT" {
		t.Errorf("got %q, want ENOENT", s.said)
	}
}

// stageReplaced is stageTrim once the program's file has been replaced.
func stageReplaced() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.Rename(os.Getenv("KERNEL_TEST_REPLACED"), self); err != nil {
		return err
	}
	return stageTrim()
}
