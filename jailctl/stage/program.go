package stage

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// lookup finds the program in the jail: a path with a slash is taken as it is,
// any other name is looked up in PATH of the program's environment.
func (s *child) lookup() (string, *Error) {
	name := s.config.Args[0]
	if strings.Contains(name, "/") {
		if !path.IsAbs(name) {
			name = path.Join(s.config.Cwd, name)
		}
		if err := executableFile(name); err != nil {
			return "", missing(name, err)
		}
		return name, nil
	}
	search, ok := environ(s.config.Env, "PATH")
	if !ok {
		search = defaultPath
	}
	var found error = unix.ENOENT
	for _, dir := range strings.Split(search, ":") {
		if !path.IsAbs(dir) {
			dir = path.Join(s.config.Cwd, dir)
		}
		file := path.Join(dir, name)
		err := executableFile(file)
		if err == nil {
			return file, nil
		}
		if errors.Is(err, unix.EACCES) {
			found = err
		}
	}
	return "", missing(name, fmt.Errorf("not found in PATH %q: %w", search, found))
}

// defaultPath is searched when the environment has none: _PATH_STDPATH of
// include/paths.h, and the packages' folders.
const defaultPath = "/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin:/usr/local/sbin"

// environ returns the value of a variable; the last setting counts.
func environ(env []string, name string) (value string, ok bool) {
	for _, kv := range env {
		if k, v, found := strings.Cut(kv, "="); found && k == name {
			value, ok = v, true
		}
	}
	return value, ok
}

// executableFile returns nil if the path is a file that somebody may execute.
func executableFile(name string) error {
	var st unix.Stat_t
	if err := unix.Stat(name, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mode&0o111 == 0 {
		return unix.EACCES
	}
	return nil
}
