package kernel

import (
	"encoding/hex"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// maxSysctl bounds what is read from a node, in bytes: some 60,000 processes.
const maxSysctl = 64 << 20

// Osreldate returns the __FreeBSD_version of the running kernel, 1500000 for 15.0;
// in a jail, what the jail was told.
func Osreldate() (int, error) {
	b, err := readSysctl([]int32{ctlKern, kernOsreldate}, sysctlGuess)
	if err != nil {
		return 0, err
	}
	n, err := DecodeInt(b)
	return int(n), err
}

// BootTime returns when the system was booted. It moves when the clock is set.
func BootTime() (time.Time, error) {
	b, err := readSysctl([]int32{ctlKern, kernBoottime}, sysctlGuess)
	if err != nil {
		return time.Time{}, err
	}
	if len(b) != timevalSize {
		return time.Time{}, fmt.Errorf("boot time of %d bytes: %w", len(b), ErrLayout)
	}
	return decodeTime(b), nil
}

// BootID returns a random number, in hexadecimal digits, that is another one after
// each boot.
func BootID() (string, error) {
	node, err := nodeOf("kern.boot_id")
	if err != nil {
		return "", err
	}
	b, err := readSysctl(node, sysctlGuess)
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(b), nil
}

// sysctlGuess is a size that takes most values, so that they are read in one call.
const sysctlGuess = 256

// readSysctl reads a node. The first attempt is made with size bytes; a value that
// does not fit, and may grow meanwhile, is read again.
func readSysctl(mib []int32, size int) ([]byte, error) {
	return readSysctlInto(mib, make([]byte, size))
}

// readSysctlInto is readSysctl with the first attempt's buffer given. What it
// returns is in that one or in a larger one.
func readSysctlInto(mib []int32, b []byte) ([]byte, error) {
	for size := len(b); size <= maxSysctl; b = make([]byte, size) {
		n, err := sysctl(mib, b, nil)
		if err == nil {
			return b[:n], nil
		}
		if !errors.Is(err, syscall.ENOMEM) {
			return nil, err
		}
		if n, err = sysctl(mib, nil, nil); err != nil {
			return nil, err
		}
		size = max(n, size) + size/4
	}
	return nil, newError("sysctl", fmt.Sprint(mib), syscall.ENOMEM)
}

// nodeOf finds a node by its name. ENOENT: there is none.
func nodeOf(name string) ([]int32, error) {
	b := make([]byte, 4*ctlMaxName)
	n, err := sysctl([]int32{ctlSysctl, sysctlName2OID}, b, []byte(name))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return decodeNode(b[:n])
}

// nextNode returns the leaf that follows a node. ENOENT: it is the last.
func nextNode(node []int32) ([]int32, error) {
	b := make([]byte, 4*ctlMaxName)
	n, err := sysctl(append([]int32{ctlSysctl, sysctlNext}, node...), b, nil)
	if err != nil {
		return nil, err
	}
	return decodeNode(b[:n])
}
