package kernel

import "fmt"

// decodePTYSlave decodes what TIOCGPTN answers on the master of a pseudo terminal
// into the path of its slave.
func decodePTYSlave(b []byte) (string, error) {
	n, err := DecodeInt(b)
	if err != nil {
		return "", err
	}
	if n < 0 {
		return "", fmt.Errorf("pseudo terminal %d: %w", n, ErrLayout)
	}
	return fmt.Sprintf("/dev/pts/%d", n), nil
}

// encodeWinsize encodes a struct winsize without its pixels.
func encodeWinsize(rows, cols uint16) []byte {
	b := make([]byte, winsizeSize)
	le.PutUint16(b[offWinsizeRows:], rows)
	le.PutUint16(b[offWinsizeCols:], cols)
	return b
}
