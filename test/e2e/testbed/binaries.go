package testbed

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"jailshim/test/daemon"
)

// Runtime is the name of the runtime under test.
var Runtime = envOr("E2E_RUNTIME", OurRuntime)

// OurRuntime is the name of our own runtime. A test compares it with Runtime
// only where ours does something that containerd's doesn't.
const OurRuntime = "io.containerd.jail.v2"

func envOr(name, fallback string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return fallback
}

// Repository returns the root folder of the repository, which a test binary
// finds above its working directory.
var Repository = sync.OnceValues(func() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(mod, []byte("module jailshim\n")) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("the working directory is not in the jailshim repository: set JAILSHIM_BIN to the folder with the built programs")
		}
		dir = filepath.Dir(dir)
	}
})

// BinDir returns the folder with our programs.
func BinDir() (string, error) {
	if dir := os.Getenv("JAILSHIM_BIN"); dir != "" {
		return filepath.Abs(dir)
	}
	root, err := Repository()
	if err != nil {
		return "", err
	}
	return filepath.Join(root, "bin"), nil
}

// ToolsDir returns the folder with the programs of others: containerd, ctr, runc,
// nerdctl.
func ToolsDir() (string, error) {
	bin, err := BinDir()
	if err != nil {
		return "", err
	}
	return daemon.Tools(bin), nil
}

// Binary returns the path of a program, ours or a tool. One that isn't there is
// an error with the command that builds it: never a reason to skip.
func Binary(name string) (string, error) {
	bin, err := BinDir()
	if err != nil {
		return "", err
	}
	return daemon.Program(name, bin, daemon.Tools(bin))
}

// RunsJails reports whether our shim runs the containers as jails, in process.
func RunsJails(tb testing.TB) bool {
	tb.Helper()
	command, err := OCIRuntime()
	if err != nil {
		tb.Fatal(err)
	}
	return command == "" && jailsByDefault && Runtime == OurRuntime
}

// OCIRuntime returns the OCI command through which our shim is to run containers,
// empty for its own choice.
func OCIRuntime() (string, error) {
	name := os.Getenv("E2E_OCI_RUNTIME")
	if name == "" || filepath.IsAbs(name) {
		return name, nil
	}
	return Binary(name)
}

// OCICommand returns an OCI command that this system has: the one that is to be
// used, or else the one that the tests come with.
func OCICommand() (string, error) {
	if command, err := OCIRuntime(); err != nil || command != "" {
		return command, err
	}
	return Binary(ociCommand)
}

// Build builds a package of the repository, for this system, without cgo, and
// returns the program's path below dir. With E2E_PREBUILT=1, for a machine that
// has only the built tests, it must be in [BinDir] under its name instead.
func Build(dir, name, pkg string, flags ...string) (string, error) {
	if os.Getenv("E2E_PREBUILT") == "1" {
		bin, err := BinDir()
		if err != nil {
			return "", err
		}
		path := filepath.Join(bin, name)
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("E2E_PREBUILT=1, and %s is not built: %w", pkg, err)
		}
		return path, nil
	}
	root, err := Repository()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, name)
	args := append([]string{"build", "-o", path}, flags...)
	cmd := exec.Command("go", append(args, pkg)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return path, nil
}
