package testbed

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
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
	return filepath.Join(bin, "tools", runtime.GOOS+"-"+runtime.GOARCH), nil
}

// Binary returns the path of a program, ours or a tool. One that isn't there is
// an error with the command that builds it: never a reason to skip.
func Binary(name string) (string, error) {
	bin, err := BinDir()
	if err != nil {
		return "", err
	}
	tools, err := ToolsDir()
	if err != nil {
		return "", err
	}
	for _, dir := range []string{bin, tools} {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, nil
		}
	}
	return "", fmt.Errorf("program %s is neither in %s nor in %s: run \"make build tools\"", name, bin, tools)
}

// Build builds a package of the repository, for this system, without cgo, and
// returns the program's path below dir. Where there is no Go command, as in a
// virtual machine that only gets the built tests, the program must be in
// [BinDir] under its name.
func Build(dir, name, pkg string, flags ...string) (string, error) {
	goCmd, err := exec.LookPath("go")
	if err != nil {
		bin, err := BinDir()
		if err != nil {
			return "", err
		}
		path := filepath.Join(bin, name)
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("no go command to build %s, and it is not built: %w", pkg, err)
		}
		return path, nil
	}
	root, err := Repository()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, name)
	args := append([]string{"build", "-o", path}, flags...)
	cmd := exec.Command(goCmd, append(args, pkg)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return path, nil
}
