package pf

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const device = "/dev/pf"

// replySize is room for what the kernel answers; the status takes some 6 KiB.
const replySize = 64 << 10

// open opens the device, which is there when the module is loaded.
func open() (*os.File, error) {
	return os.OpenFile(device, os.O_RDWR, 0)
}

// Running tells whether pf is loaded, and whether it is enabled.
func Running() (loaded, enabled bool, err error) {
	f, err := open()
	if errors.Is(err, os.ErrNotExist) {
		return false, false, nil
	}
	if err != nil {
		return false, false, err
	}
	defer f.Close()
	b := make([]byte, replySize)
	n, err := nv(f, "DIOCGETSTATUSNV", diocGetStatusNV, "", nil, b)
	if err != nil {
		return true, false, err
	}
	enabled, err = nvBoolAt(b[:n], "running")
	if err != nil {
		return true, false, fmt.Errorf("DIOCGETSTATUSNV: %w", err)
	}
	return true, enabled, nil
}

// Exists tells whether there is an anchor.
func Exists(anchor string) (bool, error) {
	f, err := open()
	if err != nil {
		return false, err
	}
	defer f.Close()
	_, there, err := children(f, anchor)
	return there, err
}

// children returns how many anchors there are in an anchor, and whether that is there.
func children(f *os.File, anchor string) (count uint32, there bool, err error) {
	b, err := encodeRuleset(anchor, 0)
	if err != nil {
		return 0, false, err
	}
	err = ioctl(f, "DIOCGETRULESETS", diocGetRulesets, anchor, unsafe.Pointer(&b[0]))
	if errors.Is(err, syscall.ENOENT) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	count, _, err = decodeRuleset(b)
	return count, true, err
}

// Anchors returns the names of the anchors in an anchor, and none if that isn't there.
func Anchors(parent string) ([]string, error) {
	f, err := open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	count, _, err := children(f, parent)
	if err != nil {
		return nil, err
	}
	var names []string
	for nr := range count {
		b, err := encodeRuleset(parent, nr)
		if err != nil {
			return nil, err
		}
		err = ioctl(f, "DIOCGETRULESET", diocGetRuleset, parent, unsafe.Pointer(&b[0]))
		if errors.Is(err, syscall.EBUSY) || errors.Is(err, syscall.ENOENT) {
			return names, nil // some went away meanwhile
		}
		if err != nil {
			return nil, err
		}
		_, name, err := decodeRuleset(b)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

// Flush removes all rules of an anchor, and so the anchor. None is no error.
func Flush(anchor string) error {
	f, err := open()
	if err != nil {
		return err
	}
	defer f.Close()
	elements, err := encodeTransaction(anchor)
	if err != nil {
		return err
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(&elements[0])
	t := pfiocTrans{size: int32(len(flushed)), esize: transElementSize, array: unsafe.Pointer(&elements[0])}
	if err := ioctl(f, "DIOCXBEGIN", diocXBegin, anchor, unsafe.Pointer(&t)); err != nil {
		return err
	}
	return ioctl(f, "DIOCXCOMMIT", diocXCommit, anchor, unsafe.Pointer(&t))
}

// KillStates drops the states from and to an address of a container, with those of
// the same connections on other interfaces.
func KillStates(a netip.Addr) error {
	f, err := open()
	if err != nil {
		return err
	}
	defer f.Close()
	for _, nat := range []bool{false, true} {
		for _, source := range []bool{false, true} {
			request := encodeKill(a, source, nat)
			if _, err := nv(f, "DIOCKILLSTATESNV", diocKillStatesNV, a.String(), request, make([]byte, len(request)+replySize)); err != nil {
				return err
			}
		}
	}
	return nil
}

// nv makes a request whose argument is a name-value list. It returns how much of b the
// answer takes.
func nv(f *os.File, op string, request uint64, object string, list, b []byte) (int, error) {
	copy(b, list)
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(&b[0])
	arg := pfiocNV{data: unsafe.Pointer(&b[0]), len: uint64(len(list)), size: uint64(len(b))}
	if err := ioctl(f, op, request, object, unsafe.Pointer(&arg)); err != nil {
		return 0, err
	}
	if arg.len > uint64(len(b)) {
		return 0, fmt.Errorf("%s: an answer of %d bytes in room for %d", op, arg.len, len(b))
	}
	return int(arg.len), nil
}

// ioctl makes a request on the device.
func ioctl(f *os.File, op string, request uint64, object string, arg unsafe.Pointer) error {
	errno := syscall.EINTR
	for errno == syscall.EINTR {
		_, _, errno = unix.Syscall6(unix.SYS_IOCTL, f.Fd(), uintptr(request), uintptr(arg), 0, 0, 0)
	}
	runtime.KeepAlive(f)
	if errno != 0 {
		return &Error{Op: op, Object: object, Errno: errno}
	}
	return nil
}
