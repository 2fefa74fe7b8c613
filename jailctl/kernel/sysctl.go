package kernel

import "fmt"

// decodeNode decodes the numbers of a sysctl node.
func decodeNode(b []byte) ([]int32, error) {
	if len(b) == 0 || len(b)%4 != 0 || len(b) > 4*ctlMaxName {
		return nil, fmt.Errorf("sysctl node of %d bytes: %w", len(b), ErrLayout)
	}
	node := make([]int32, 0, len(b)/4)
	for ; len(b) > 0; b = b[4:] {
		node = append(node, int32(le.Uint32(b)))
	}
	return node, nil
}

// isBelow tells whether a sysctl node is below another.
func isBelow(node, top []int32) bool {
	if len(node) <= len(top) {
		return false
	}
	for i, n := range top {
		if node[i] != n {
			return false
		}
	}
	return true
}
