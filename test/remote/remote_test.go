package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestDestination_EachForm_Split: a wrong split connects to another machine, and
// runs tests there as root.
func TestDestination_EachForm_Split(t *testing.T) {
	for in, want := range map[string][2]string{
		"root@127.0.0.1:2222": {"root@127.0.0.1", "2222"},
		"host":                {"host", ""},
		"root@host":           {"root@host", ""},
		"root@[::1]:22":       {"root@::1", "22"},
		"[fe80::1]":           {"fe80::1", ""},
		"a@b@host:1":          {"a@b@host", "1"},
		"":                    {},
		"root@":               {},
		"root@:22":            {},
		"host:":               {},
		"host:ssh":            {},
		"-oProxyCommand=x":    {},
	} {
		host, port, err := destination(in)
		if [2]string{host, port} != want || (err != nil) != (want[0] == "") {
			t.Errorf("destination(%q) = %q, %q, %v, want %q", in, host, port, err, want)
		}
	}
}

// TestStore_SentAndLaidOut_SameFiles runs what the machine would: a file that
// arrives changed, without its mode or under another name fails tests there for no
// reason that they could tell.
func TestStore_SentAndLaidOut_SameFiles(t *testing.T) {
	local, dir := t.TempDir(), t.TempDir()
	suite := &suite{dir: filepath.Join(dir, "it's the suite"), files: []file{
		{filepath.Join(local, "a"), "a.test"},
		{filepath.Join(local, "b"), "testdata/deep/b $x"},
		{filepath.Join(local, "a"), "bin/again"},
	}}
	var sums []string
	bySum := map[string]string{}
	for _, f := range suite.files {
		if err := os.WriteFile(f.local, []byte(strings.Repeat(f.local, 1000)), 0o644); err != nil {
			t.Fatal(err)
		}
		sum, err := checksum(f.local)
		if err != nil {
			t.Fatal(err)
		}
		sums, bySum[sum] = append(sums, sum), f.local
	}
	var stream bytes.Buffer
	if size, err := pack(&stream, bySum); err != nil || size == 0 || int64(stream.Len()) >= size {
		t.Fatalf("packed %d bytes into %d: %v", size, stream.Len(), err)
	}
	store := filepath.Join(dir, "store")
	if err := os.Mkdir(store, 0o755); err != nil {
		t.Fatal(err)
	}
	untar := exec.Command("tar", "-xzmf", "-", "-C", store)
	untar.Stdin = &stream
	if out, err := untar.CombinedOutput(); err != nil {
		t.Fatalf("tar: %v: %s", err, out)
	}
	for range 2 { // again over what is there
		sh := exec.Command("sh", "-s")
		sh.Stdin = strings.NewReader("set -eu\n" + layOut(store, suite, sums))
		if out, err := sh.CombinedOutput(); err != nil {
			t.Fatalf("sh: %v: %s", err, out)
		}
	}
	for _, f := range suite.files {
		path := filepath.Join(suite.dir, f.name)
		got, err := os.ReadFile(path)
		if err != nil || string(got) != strings.Repeat(f.local, 1000) {
			t.Errorf("%s: %d bytes, %v", f.name, len(got), err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o111 == 0 {
			t.Errorf("%s can't be executed: %v", f.name, err)
		}
	}
}

// TestScript_Environment_Passed: a test that misses E2E_REQUIRE skips, and all
// looks well.
func TestScript_Environment_Passed(t *testing.T) {
	t.Setenv("E2E_SNAPSHOTTER", "it's zfs")
	t.Setenv("E2E_FREEBSD_KEY", "/secret")
	t.Setenv("OTHER", "x")
	dir := t.TempDir()
	s := &suite{dir: dir}
	settings := &settings{run: "A|B C", timeout: time.Minute}
	p := test{dir: "sub", name: "x.test", args: append(settings.testArguments(), "$PWD/it's here"), env: []string{"E2E_REQUIRE=1", "JAILSHIM_BIN=$PWD/bin"}}
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	program := "#!/bin/sh\nfor a; do echo \"arg $a\"; done; echo \"in $PWD\"; env\nexit 3\n"
	if err := os.WriteFile(filepath.Join(dir, "sub", "x.test"), []byte(program), 0o755); err != nil {
		t.Fatal(err)
	}
	sh := exec.Command("sh", "-s")
	sh.Stdin = strings.NewReader(s.script(p))
	out, err := sh.CombinedOutput()
	if sh.ProcessState.ExitCode() != 3 {
		t.Errorf("the exit status is lost: %v", err)
	}
	for _, want := range []string{"arg -test.run=A|B C\n", "arg -test.timeout=1m0s\n", "arg -test.v=test2json\n", "arg " + dir + "/sub/it's here\n", "in " + dir + "/sub\n",
		"E2E_SNAPSHOTTER=it's zfs\n", "E2E_REQUIRE=1\n", "JAILSHIM_BIN=" + dir + "/bin\n"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	for _, not := range []string{"secret", "OTHER"} {
		if strings.Contains(string(out), not) {
			t.Errorf("%q in\n%s", not, out)
		}
	}
}
