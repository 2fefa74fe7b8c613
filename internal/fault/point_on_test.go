//go:build faultinject

package fault

import (
	"os"
	"path/filepath"
	"testing"
)

func TestPoint_ObeysTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "faults")
	t.Setenv("JAILSHIM_FAULTS", path)
	if err := Point(CreateBegin); err != nil {
		t.Errorf("without a file: %v", err)
	}
	if err := os.WriteFile(path, []byte(CreateBegin+"=error\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Point(CreateBegin); err == nil {
		t.Error("no error at the point that the file names")
	}
	if err := Point(StartBegin); err != nil {
		t.Errorf("at another point: %v", err)
	}
}
