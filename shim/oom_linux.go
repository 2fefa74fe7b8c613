package shim

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// maxOOMScore is OOM_SCORE_ADJ_MAX of linux/oom.h.
const maxOOMScore = 1000

// protectFromOOM gives pid the OOM score adjustment of containerd, our parent,
// plus one: of the two, the kernel takes the server first.
func protectFromOOM(pid int) error {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", os.Getppid()))
	if err != nil {
		return err
	}
	score, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return err
	}
	score = min(score+1, maxOOMScore)
	return os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte(strconv.Itoa(score)), 0)
}
