package kernel

import (
	"fmt"
	"math"
	"syscall"
)

// encodeGroups encodes the groups of a process for system call 80, whose first
// entry becomes the effective group while the others are the supplementary ones.
// A caller that leaves out the first loses one of its groups.
func encodeGroups(gid int, extra []int) ([]byte, error) {
	if len(extra) >= maxGroups {
		return nil, fmt.Errorf("%d supplementary groups, the limit is %d: %w", len(extra), maxGroups-1, syscall.EINVAL)
	}
	b := make([]byte, 0, 4*(len(extra)+1))
	for _, g := range append([]int{gid}, extra...) {
		if g < 0 || int64(g) > math.MaxUint32 {
			return nil, fmt.Errorf("group %d: %w", g, syscall.EINVAL)
		}
		b = le.AppendUint32(b, uint32(g))
	}
	return b, nil
}
