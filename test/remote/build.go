package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// suite is what runs on the machine.
type suite struct {
	kind  string // e2e, unit, bench
	dir   string // its folder there
	mark  string // in the command line of its programs
	files []file
	tests []test
}

// file is one that the machine needs.
type file struct {
	local string
	name  string // relative to the suite's folder
}

// test is a test program.
type test struct {
	pkg  string   // import path
	dir  string   // where it runs, relative to the suite's folder
	name string   // in that folder
	args []string // $PWD at the beginning of one is the folder where it runs
	env  []string
}

// testMark is in the command line of each test program that runs on the machine.
const testMark = "-test.v=test2json"

// testArguments are those of a test program.
func (s *settings) testArguments() []string {
	return []string{testMark, fmt.Sprint("-test.timeout=", s.timeout), "-test.run=" + s.run}
}

// builder builds for the machine.
type builder struct {
	goos, goarch string
	out          string
}

// goProgram is the Go command: GO, as for make, or the one in the PATH.
func goProgram() string {
	if name := os.Getenv("GO"); name != "" {
		return name
	}
	return "go"
}

// goCommand returns a Go command with the machine's system set.
func (b *builder) goCommand(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, goProgram(), args...)
	cmd.Env = append(os.Environ(), "GOOS="+b.goos, "GOARCH="+b.goarch, "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	return cmd
}

// stripped are the flags for programs as they are released: without generators of
// man pages, and without what only a debugger needs, which
// is most of a program, and the link is slow.
var stripped = []string{"-trimpath", "-buildvcs=false", "-tags=urfave_cli_no_docs", "-ldflags=-s -w"}

// program builds a command of the repository, and returns its path.
func (b *builder) program(ctx context.Context, name, pkg string, flags ...string) (string, error) {
	path := filepath.Join(b.out, name)
	args := slices.Concat([]string{"build", "-o", path}, stripped, flags, []string{pkg})
	if err := b.goCommand(ctx, args...).Run(); err != nil {
		return "", fmt.Errorf("build %s for %s/%s: %w", pkg, b.goos, b.goarch, err)
	}
	return path, nil
}

// testProgram builds a package's tests, and returns the program's path.
func (b *builder) testProgram(ctx context.Context, pkg string, flags ...string) (string, error) {
	path := filepath.Join(b.out, "tests", strings.ReplaceAll(pkg, "/", "_")+".test")
	args := slices.Concat([]string{"test", "-c", "-o", path}, stripped, flags, []string{pkg})
	if err := b.goCommand(ctx, args...).Run(); err != nil {
		return "", fmt.Errorf("build the tests of %s for %s/%s: %w", pkg, b.goos, b.goarch, err)
	}
	return path, nil
}

const shim = "containerd-shim-jail-v2"

// endToEnd builds the end-to-end tests and all that they run.
func (b *builder) endToEnd(ctx context.Context, s *settings) (*suite, error) {
	note("building for %s/%s", b.goos, b.goarch)
	t := &suite{mark: testMark, tests: []test{{
		pkg: "jailshim/test/e2e", dir: ".", name: "e2e.test", args: s.testArguments(),
		env: []string{"E2E_REQUIRE=1", "E2E_PREBUILT=1", "JAILSHIM_BIN=$PWD/bin", "E2E_LOGS=$PWD/logs"},
	}}}
	path, err := b.testProgram(ctx, "./test/e2e")
	if err != nil {
		return nil, err
	}
	t.files = append(t.files, file{path, "e2e.test"})
	if err := b.addPrograms(ctx, t,
		program{"guest", "./test/guest", nil},
		program{"faultinject/" + shim, "./cmd/" + shim, []string{"-tags", "faultinject"}},
	); err != nil {
		return nil, err
	}
	return t, b.addTools(ctx, t, "containerd", "ctr", "nerdctl")
}

// benchmark builds the benchmark and all that it runs, and adds the programs of
// others to compare with.
func (b *builder) benchmark(ctx context.Context, s *settings) (*suite, error) {
	note("building for %s/%s", b.goos, b.goarch)
	const name = "bin/test/bench"
	args := []string{"-bin", "bin", "-docs", docs}
	t := &suite{mark: name}
	if err := b.addPrograms(ctx, t,
		program{"test/guest", "./test/guest", nil}, program{"test/bench", "./test/bench", nil},
	); err != nil {
		return nil, err
	}
	if s.runj != "" {
		for _, p := range []string{"runj", "runj-entrypoint", "containerd-shim-runj-v1"} {
			t.files = append(t.files, file{filepath.Join(s.runj, p), "peers/" + p})
		}
		args = append(args, "-runj", "$PWD/peers")
	}
	if s.ocijail != "" {
		t.files = append(t.files, file{s.ocijail, "peers/ocijail"})
		args = append(args, "-ocijail", "$PWD/peers/ocijail")
	}
	t.tests = []test{{dir: ".", name: name, args: append(args, s.rest...)}}
	return t, b.addTools(ctx, t, "containerd", "ctr")
}

// program is a command of the repository.
type program struct {
	name, pkg string
	flags     []string
}

// addPrograms builds the repository's commands, and what else is named, into the
// suite's bin folder.
func (b *builder) addPrograms(ctx context.Context, t *suite, programs ...program) error {
	commands, err := os.ReadDir("cmd")
	if err != nil {
		return fmt.Errorf("%w: run it in the root folder of the repository", err)
	}
	for _, c := range commands {
		programs = append(programs, program{c.Name(), "./cmd/" + c.Name(), nil})
	}
	for _, p := range programs {
		path, err := b.program(ctx, p.name, p.pkg, p.flags...)
		if err != nil {
			return err
		}
		t.files = append(t.files, file{path, "bin/" + p.name})
	}
	return nil
}

// addTools builds programs of others, and runc where it exists.
func (b *builder) addTools(ctx context.Context, t *suite, tools ...string) error {
	if b.goos == "linux" {
		tools = append(tools, "runc", "containerd-shim-runc-v2")
	}
	cmd := exec.CommandContext(ctx, "tools/build.sh", append([]string{"-o", b.goos, "-a", b.goarch}, tools...)...)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("tools/build.sh: %w", err)
	}
	for _, name := range tools {
		name = "tools/" + b.goos + "-" + b.goarch + "/" + name
		t.files = append(t.files, file{"bin/" + name, "bin/" + name})
	}
	return nil
}

// goPackage is what "go list" tells of a package.
type goPackage struct {
	ImportPath, Dir                    string
	GoFiles, TestGoFiles, XTestGoFiles []string
}

// units builds the unit tests of the given packages, or of all that have files
// for the machine's system alone: what the others do is the same everywhere.
func (b *builder) units(ctx context.Context, s *settings) (*suite, error) {
	packages, err := b.list(ctx, s.rest)
	if err != nil {
		return nil, err
	}
	t := &suite{mark: testMark}
	for _, p := range packages {
		if len(p.TestGoFiles)+len(p.XTestGoFiles) == 0 || len(s.rest) == 0 && !p.hasFilesFor(b.goos) {
			continue
		}
		note("building the tests of %s for %s/%s", p.ImportPath, b.goos, b.goarch)
		// Wrong uses of unsafe pointers are found by this, in our own packages.
		path, err := b.testProgram(ctx, p.ImportPath, "-gcflags=jailshim/...=-d=checkptr")
		if err != nil {
			return nil, err
		}
		dir := strings.TrimPrefix(p.ImportPath, "jailshim/")
		t.tests = append(t.tests, test{pkg: p.ImportPath, dir: dir, name: "unit.test", args: s.testArguments()})
		t.files = append(t.files, file{path, dir + "/unit.test"})
		// As under "go test", the package's folder is the working directory.
		files, err := packageFiles(p.Dir, dir)
		if err != nil {
			return nil, err
		}
		t.files = append(t.files, files...)
	}
	if len(t.tests) == 0 {
		return nil, errors.New("no package has tests for " + b.goos)
	}
	return t, nil
}

// list asks the Go command for packages. Those that can't be built are listed too:
// that is told, or not, when they are needed.
func (b *builder) list(ctx context.Context, patterns []string) (all []goPackage, err error) {
	if len(patterns) == 0 {
		patterns = []string{"./..."}
	}
	cmd := b.goCommand(ctx, append([]string{"list", "-e", "-json=ImportPath,Dir,GoFiles,TestGoFiles,XTestGoFiles"}, patterns...)...)
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		if p.ImportPath != "jailshim/test/e2e" { // no unit tests
			all = append(all, p)
		}
	}
}

// hasFilesFor tells whether some file is for the system alone.
func (p *goPackage) hasFilesFor(goos string) bool {
	return slices.ContainsFunc(slices.Concat(p.GoFiles, p.TestGoFiles, p.XTestGoFiles), func(name string) bool {
		name = strings.TrimSuffix(strings.TrimSuffix(name, ".go"), "_test")
		return strings.HasSuffix(name, "_"+goos) || strings.Contains(name, "_"+goos+"_")
	})
}

// packageFiles returns the Go files and the testdata of a package's folder.
func packageFiles(dir, to string) (all []file, err error) {
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		switch {
		case e.IsDir() && name != "." && !strings.HasPrefix(name, "testdata"):
			return fs.SkipDir
		case e.Type().IsRegular() && (strings.HasPrefix(name, "testdata") || strings.HasSuffix(name, ".go")):
			all = append(all, file{path, to + "/" + name})
		}
		return nil
	})
	return all, err
}
