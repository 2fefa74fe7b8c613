package kernel

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

func cpusetGetaffinity(object string, level, which, id int, mask []byte) error {
	_, _, errno := unix.Syscall6(sysCpusetGetaffinity, uintptr(level), uintptr(which), uintptr(id), uintptr(len(mask)),
		uintptr(pointer(mask)), 0)
	runtime.KeepAlive(mask)
	if errno != 0 {
		return newError("cpuset_getaffinity", object, errno)
	}
	return nil
}

func cpusetSetaffinity(object string, level, which, id int, mask []byte) error {
	_, _, errno := unix.Syscall6(sysCpusetSetaffinity, uintptr(level), uintptr(which), uintptr(id), uintptr(len(mask)),
		uintptr(pointer(mask)), 0)
	runtime.KeepAlive(mask)
	if errno != 0 {
		return newError("cpuset_setaffinity", object, errno)
	}
	return nil
}

// cpusetGetdomain fills mask and returns the policy, DOMAINSET_POLICY_…
func cpusetGetdomain(object string, level, which, id int, mask []byte) (int32, error) {
	var policy int32
	_, _, errno := unix.Syscall6(sysCpusetGetdomain, uintptr(level), uintptr(which), uintptr(id), uintptr(len(mask)),
		uintptr(pointer(mask)), uintptr(unsafe.Pointer(&policy)))
	runtime.KeepAlive(mask)
	if errno != 0 {
		return 0, newError("cpuset_getdomain", object, errno)
	}
	return policy, nil
}

func cpusetSetdomain(object string, level, which, id int, mask []byte, policy int32) error {
	_, _, errno := unix.Syscall6(sysCpusetSetdomain, uintptr(level), uintptr(which), uintptr(id), uintptr(len(mask)),
		uintptr(pointer(mask)), uintptr(policy))
	runtime.KeepAlive(mask)
	if errno != 0 {
		return newError("cpuset_setdomain", object, errno)
	}
	return nil
}
