package jailctl

import (
	"bufio"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"jailshim/jailctl/plan"
)

// withHome gives an environment that has no HOME, or an empty one, that of the user: no
// client of containerd sets it, because runc does.
func withHome(env []string, root string, uid int) []string {
	const name = "HOME="
	set := func(setting string) bool { return strings.HasPrefix(setting, name) && setting != name }
	if slices.ContainsFunc(env, set) {
		return env
	}
	return plan.Env(env, name+home(root, uid))
}

// noHome is the home of who has none.
const noHome = "/"

// maxPasswd bounds what is read of a container's file of users, in bytes.
const maxPasswd = 1 << 20

// home returns the home of a user as /etc/passwd of a container has it, whose root is
// root on the host; noHome if it has none.
func home(root string, uid int) string {
	f, err := openFile(root, "/etc/passwd")
	if err != nil {
		return noHome
	}
	defer f.Close()
	const fieldUID, fieldHome = 2, 5
	for s := bufio.NewScanner(io.LimitReader(f, maxPasswd)); s.Scan(); {
		fields := strings.Split(s.Text(), ":")
		if len(fields) <= fieldHome || fields[fieldUID] != strconv.Itoa(uid) {
			continue
		}
		if dir := fields[fieldHome]; path.IsAbs(dir) && !strings.ContainsRune(dir, 0) {
			return dir
		}
		break
	}
	return noHome
}
