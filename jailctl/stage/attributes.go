package stage

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"jailshim/jailctl/kernel"
)

// become gives the process the attributes of the program. The order matters:
// the login class and hard limits need root, and what comes after the user id
// has changed must not.
func (s *child) become() *Error {
	c := &s.config
	if c.LoginClass != "" {
		if err := kernel.SetLoginClass(c.LoginClass); err != nil {
			return failed("set login class "+strconv.Quote(c.LoginClass), err)
		}
	}
	for _, l := range c.Rlimits {
		if err := kernel.SetRlimit(l.Resource, kernel.Rlimit{Soft: l.Soft, Hard: l.Hard}); err != nil {
			return failed(fmt.Sprintf("set resource limit %d", l.Resource), err)
		}
	}
	if c.Umask != nil {
		unix.Umask(int(*c.Umask))
	}
	if c.NoNewPrivs {
		if err := kernel.SetNoNewPrivs(); err != nil {
			return failed("forbid new privileges", err)
		}
	}
	if err := kernel.SetGroups(c.GID, c.Groups); err != nil {
		return failed("set groups", err)
	}
	if err := setIDs(c.UID, c.GID); err != nil {
		return failed(fmt.Sprintf("become user %d:%d", c.UID, c.GID), err)
	}
	if err := os.Chdir(c.Cwd); err != nil {
		return failed("change to the working directory", err)
	}
	// Two streams and whatever was asked for stay; all else, known or not, goes.
	if err := kernel.CloseExecFrom(3 + c.Keep); err != nil {
		return failed("close descriptors", err)
	}
	return nil
}

// setIDs changes all user and group ids of the process, the group first while it
// still may.
func setIDs(uid, gid int) error {
	if err := unix.Setresgid(gid, gid, gid); err != nil {
		return err
	}
	return unix.Setresuid(uid, uid, uid)
}
