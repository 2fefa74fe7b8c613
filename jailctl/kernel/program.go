package kernel

import (
	"fmt"
	"path"
	"strings"
	"unsafe"
)

// defaultPath is searched when the environment has no PATH: _PATH_STDPATH of
// include/paths.h, and the packages' folders.
const defaultPath = "/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin:/usr/local/sbin"

// Find looks for the program: a path with a slash is taken as it is, any other name
// is looked up in PATH of the program's environment. It is found where a file is
// that somebody may execute. Relative paths are from cwd.
func (s *Script) Find(name, cwd string, env []string) {
	what := fmt.Sprintf("find program %q", name)
	var candidates []string
	if strings.Contains(name, "/") {
		candidates = []string{name}
	} else {
		search, ok := lookupEnv(env, "PATH")
		if !ok {
			search = defaultPath
		}
		what += fmt.Sprintf(" in PATH %q", search)
		for _, dir := range strings.Split(search, ":") {
			candidates = append(candidates, path.Join(dir, name))
		}
	}
	for _, c := range candidates {
		if !path.IsAbs(c) {
			c = path.Join(cwd, c)
		}
		s.add(what, sysFstatat, number(atFDCWD), address(s.text(c)), address(s.memory().scratch[:])).op = opFind
	}
	s.add(what, 0).op = opFound
}

// isProgram reports whether a struct stat is that of a file that somebody may
// execute. It is called in the child.
//
//go:nosplit
func isProgram(stat *[statSize]byte) bool {
	mode := uint16(stat[offStatMode]) | uint16(stat[offStatMode+1])<<8
	return mode&statTypeMask == statRegular && mode&statExecute != 0
}

// lookupEnv returns the value of a variable; the last setting counts.
func lookupEnv(env []string, name string) (value string, ok bool) {
	for _, kv := range env {
		if k, v, found := strings.Cut(kv, "="); found && k == name {
			value, ok = v, true
		}
	}
	return value, ok
}

// Exec executes the program that was found. The value of a variable that ends in
// [PIDMark] ends in the child's pid instead.
func (s *Script) Exec(args, env []string) {
	envp := make([]*byte, 0, len(env)+1)
	for _, kv := range env {
		b := s.text(kv)
		if strings.HasSuffix(kv, PIDMark) {
			s.add("set "+kv, sysGetpid, address(b[len(kv)-len(PIDMark):])).op = opPid
		}
		envp = append(envp, &b[0])
	}
	argv := make([]*byte, 0, len(args)+1)
	for _, a := range args {
		argv = append(argv, &s.text(a)[0])
	}
	st := s.add(fmt.Sprintf("exec %q", args[0]), sysExecve, argument{},
		argument{p: unsafe.Pointer(unsafe.SliceData(inRoom(s, append(argv, nil))))},
		argument{p: unsafe.Pointer(unsafe.SliceData(inRoom(s, append(envp, nil))))})
	st.op = opExec
}

// PIDMark at the end of a variable stands for the pid of the process that has it.
const PIDMark = "\x01pid______"
