package kernel

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
)

// CPUSet is a set of CPUs 0 to 1023, as the kernel takes it: CPU n is bit n%8 of
// byte n/8.
type CPUSet [128]byte

// ParseCPUs parses a list of CPUs and ranges of them, such as "0-3,5". An empty
// list, a range that goes down and a CPU above 1023 wrap EINVAL.
func ParseCPUs(list string) (CPUSet, error) {
	var s CPUSet
	err := parseNumbers(list, s[:])
	if err != nil {
		return CPUSet{}, fmt.Errorf("list of CPUs %q: %w", list, err)
	}
	return s, nil
}

// String returns the set as [ParseCPUs] takes it, in order, neighbours joined; an
// empty set is an empty text.
func (s CPUSet) String() string { return formatNumbers(s[:]) }

// parseDomains parses a list of memory domains in the form of [ParseCPUs] into the
// mask that cpuset_setdomain(2) takes.
func parseDomains(list string) ([]byte, error) {
	mask := make([]byte, domainSetBits/8)
	if err := parseNumbers(list, mask); err != nil {
		return nil, fmt.Errorf("list of memory domains %q: %w", list, err)
	}
	return mask, nil
}

// parseNumbers sets the bits of mask that list names.
func parseNumbers(list string, mask []byte) error {
	for field := range strings.SplitSeq(list, ",") {
		from, to, ranged := strings.Cut(field, "-")
		if !ranged {
			to = from
		}
		first, err := strconv.ParseUint(from, 10, 31)
		if err != nil {
			return fmt.Errorf("%q is not a number: %w", from, syscall.EINVAL)
		}
		last, err := strconv.ParseUint(to, 10, 31)
		if err != nil {
			return fmt.Errorf("%q is not a number: %w", to, syscall.EINVAL)
		}
		if first > last || last >= uint64(8*len(mask)) {
			return fmt.Errorf("%q is not within 0-%d: %w", field, 8*len(mask)-1, syscall.EINVAL)
		}
		for n := first; n <= last; n++ {
			mask[n/8] |= 1 << (n % 8)
		}
	}
	return nil
}

// formatNumbers lists the bits of mask.
func formatNumbers(mask []byte) string {
	has := func(n int) bool { return n < 8*len(mask) && mask[n/8]&(1<<(n%8)) != 0 }
	var list []string
	for n := 0; n < 8*len(mask); n++ {
		if !has(n) {
			continue
		}
		first := n
		for has(n + 1) {
			n++
		}
		if n == first {
			list = append(list, strconv.Itoa(n))
		} else {
			list = append(list, fmt.Sprintf("%d-%d", first, n))
		}
	}
	return strings.Join(list, ",")
}
