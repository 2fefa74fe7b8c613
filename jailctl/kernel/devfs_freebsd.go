package kernel

import (
	"errors"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// The rules of devfs are the kernel's, not a mount's: any devfs mount serves to ask
// for them and to add some. Only ApplyDevRule is about the mount that is named. All
// need root, outside of jails.

// RulesetExists tells whether a ruleset, 1 to 65535, has rules. One that has none
// hides nothing: a devfs that is mounted with it shows every device.
func RulesetExists(dev string, ruleset int) (bool, error) {
	if err := checkRuleset(ruleset); err != nil {
		return false, err
	}
	fd, err := openDevfs(dev)
	if err != nil {
		return false, err
	}
	defer unix.Close(fd)
	_, _, err = devfsNextRule(dev, fd, ruleset, 0)
	if errors.Is(err, syscall.ENOENT) {
		return false, nil
	}
	return err == nil, err
}

// ApplyDevRule applies a rule to the nodes that the devfs mount dev, its open folder, has
// now, and to that mount alone. It is stored nowhere: nodes that come later follow the mount's
// ruleset.
func ApplyDevRule(dev *os.File, r DevRule) error {
	b, err := encodeDevRule(0, 0, r)
	if err != nil {
		return err
	}
	return ioctl("ioctl DEVFSIO_RAPPLY", strconv.Quote(dev.Name()), int(dev.Fd()), devfsioRApply, b)
}

// AddDevRule adds a rule to a ruleset, 1 to 65535, which it makes if need be. Rules
// are applied by rising number; 0 takes one above the last. What is mounted already
// stays as it is, except for nodes that come later. EEXIST: the number is taken.
// ESRCH: the ruleset to include does not exist.
func AddDevRule(dev string, ruleset, number int, r DevRule) error {
	if err := checkRuleset(ruleset); err != nil {
		return err
	}
	b, err := encodeDevRule(ruleset, number, r)
	if err != nil {
		return err
	}
	fd, err := openDevfs(dev)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return ioctl("ioctl DEVFSIO_RADD", strconv.Quote(dev), fd, devfsioRAdd, b)
}

// RemoveDevRule removes a rule from a ruleset, 1 to 65535, which ends with its last
// rule unless a mount uses it. ENOENT: there is no such rule.
func RemoveDevRule(dev string, ruleset, number int) error {
	if err := checkRuleset(ruleset); err != nil {
		return err
	}
	fd, err := openDevfs(dev)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return ioctl("ioctl DEVFSIO_RDEL", strconv.Quote(dev), fd, devfsioRDel, le.AppendUint32(nil, ruleID(ruleset, number)))
}

// Rulesets lists the numbers of the rulesets that have rules or are used by a
// mount, rising.
func Rulesets(dev string) ([]int, error) {
	fd, err := openDevfs(dev)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	var numbers []int
	for b := make([]byte, 2); ; {
		err := ioctl("ioctl DEVFSIO_SGETNEXT", strconv.Quote(dev), fd, devfsioSGetNext, b)
		if errors.Is(err, syscall.ENOENT) {
			return numbers, nil
		}
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, int(le.Uint16(b)))
	}
}

// devfsNextRule returns the first rule of a ruleset whose number is above after.
// ENOENT: there is none.
func devfsNextRule(dev string, fd, ruleset, after int) (int, DevRule, error) {
	b := encodeRuleID(ruleset, after)
	if err := ioctl("ioctl DEVFSIO_RGETNEXT", strconv.Quote(dev), fd, devfsioRGetNext, b); err != nil {
		return 0, DevRule{}, err
	}
	_, number, r, err := decodeDevRule(b)
	return number, r, err
}

// openDevfs opens the root of a devfs mount, whose rules are reached by ioctl.
func openDevfs(dev string) (int, error) {
	fd, err := unix.Open(dev, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if errno := syscall.Errno(0); errors.As(err, &errno) {
		return -1, newError("open", strconv.Quote(dev), errno)
	}
	return fd, err
}
