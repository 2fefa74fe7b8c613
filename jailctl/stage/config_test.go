package stage

import (
	"os"
	"slices"
	"strings"
	"testing"

	"jailshim/jailctl/kernel"
)

// full is a Config with all that there is.
func full(t *testing.T) *Config {
	t.Helper()
	open := func() *os.File {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	mask := uint32(0o27)
	return &Config{
		JID: 7, Jail: open(), Network: []kernel.Request{{Domain: 2, Ioctl: 1, Data: []byte{0}, What: "bring up lo0"}},
		Args: []string{"sh", "-c", "x"}, Env: []string{"PATH=/a:/b"}, Cwd: "/home", UID: 1, GID: 2, Groups: []int{3},
		Umask: &mask, Rlimits: []Rlimit{{8, kernel.Rlimit{Soft: 1, Hard: 2}}}, NoNewPrivs: true, LoginClass: "daemon",
		Stdin: open(), Stdout: open(), Stderr: open(), Terminal: true, Keep: []*os.File{open(), open()},
		Wait: true, Listener: open(),
	}
}

// The order is what keeps the host safe: descriptors go before the jail is entered,
// and root's rights go last.
func TestScript_Order(t *testing.T) {
	c := full(t)
	files := c.files(nil)
	if len(files) != streams+2+2 {
		t.Fatalf("descriptors %v", files)
	}
	if slices.Contains(files[streams:], -1) {
		t.Errorf("descriptors %v", files)
	}
	steps := slices.Compact(c.script(append(files, 99)).Steps())
	want := []string{
		"move a descriptor", "set up a descriptor", "close descriptors", "set the title", "begin a session", "set the controlling terminal",
		"reset the processor set", "attach to the jail", "bring up lo0: open a socket", "bring up lo0", "close sockets",
		`find program "sh" in PATH "/a:/b"`, "answer", "wait", "close the control socket", "wait for a connection",
		`set login class "daemon"`, "set resource limit 8", "set the umask", "forbid new privileges",
		"change to the working directory /home", "set groups", "become group 2", "become user 1", "change to the working directory /home", `exec "sh"`,
	}
	// Whether descriptors must be moved depends on their numbers.
	want, steps = without(want, "move a descriptor"), without(steps, "move a descriptor")
	if !slices.Equal(steps, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(steps, "\n"), strings.Join(want, "\n"))
	}
}

func without(list []string, s string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(x string) bool { return x == s })
}

// An exec waits for nobody, and what is not asked for is not done.
func TestScript_OfAnExec(t *testing.T) {
	c := &Config{JID: 7, Args: []string{"/bin/sh"}, Cwd: "/"}
	null, err := c.null()
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	files := c.files(null)
	if len(files) != streams || files[0] != files[2] {
		t.Errorf("descriptors %v", files)
	}
	got := slices.Compact(without(c.script(append(files, 99)).Steps(), "move a descriptor"))
	want := []string{
		"set up a descriptor", "close descriptors", "set the title", "begin a session", "reset the processor set", "attach to the jail",
		`find program "/bin/sh"`, "change to the working directory /", "set groups", "become group 0", "become user 0",
		"change to the working directory /", `exec "/bin/sh"`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
