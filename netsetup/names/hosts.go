package names

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"

	"github.com/containerd/errdefs"
)

// Host is a line of a hosts file.
type Host struct {
	Addr  netip.Addr `json:"addr"`
	Names []string   `json:"names"` // the first is the canonical one
}

// Hosts returns the text of a hosts file: localhost, then the lines.
func Hosts(lines []Host) []byte {
	var b bytes.Buffer
	b.WriteString("::1\tlocalhost\n127.0.0.1\tlocalhost\n")
	for _, h := range lines {
		fmt.Fprintf(&b, "%s\t%s\n", h.Addr, strings.Join(h.Names, " "))
	}
	return b.Bytes()
}

// maxHostName is MAXHOSTNAMELEN without the NUL, sys/sys/param.h:124.
const maxHostName = 255

// CheckName returns an error of class InvalidArgument for a name that cannot stand in
// a hosts file.
func CheckName(name string) error {
	ok := name != "" && len(name) <= maxHostName && name[0] != '.' && name[0] != '-'
	for _, c := range []byte(name) {
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.')
	}
	if !ok {
		return fmt.Errorf("%q is no name of a host: letters, digits, \"-\", \"_\" and \".\" make one, of at most %d: %w", name, maxHostName, errdefs.ErrInvalidArgument)
	}
	return nil
}
