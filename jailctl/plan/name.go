package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

const (
	// maxName bounds the name that JailName makes, so that there is room for
	// parents' names before it.
	maxName = 120
	// maxJailName bounds a full name: MAXHOSTNAMELEN without its NUL.
	maxJailName = 255
	hashDigits  = 10
	// maxNamespace bounds the readable namespace in a name with a hash.
	maxNamespace = 40
)

// JailName is the name of a container's jail, without a parent's: readable in
// jls(8), never with "." (it separates a parent's name) or ":" (it separates the
// fields of a resource rule), and never all digits (that would be a jail's
// number).
//
//   - "namespace-id" if both consist of letters, digits and "_" only;
//   - else the same with the other characters replaced by "_", and "-" and ten
//     digits of a hash of the two;
//   - without a namespace, the id itself if it consists of letters, digits, "_"
//     and "-" and is no number, else with a hash as well.
//
// Names of containers in namespaces don't collide with each other, nor do those
// without a namespace. An id without a namespace that is spelled like another
// container's name ("default-web" beside web in default) is refused while that has
// a jail.
func JailName(namespace, id string) string {
	if namespace == "" {
		if len(id) <= maxName && plainID(id) {
			return id
		}
		return cut(sanitize(id), maxName-hashDigits-1) + "-" + hash(namespace, id)
	}
	if id != "" && plain(namespace) && plain(id) && len(namespace)+1+len(id) <= maxName {
		return namespace + "-" + id
	}
	// Cut apart, so that there are always two "-": a name without a hash has one.
	head := cut(sanitize(namespace), maxNamespace) + "-"
	return head + cut(sanitize(id), maxName-hashDigits-1-len(head)) + "-" + hash(namespace, id)
}

func wordChar(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

// plain reports whether s consists of word characters.
func plain(s string) bool {
	for i := range len(s) {
		if !wordChar(s[i]) {
			return false
		}
	}
	return true
}

// plainID reports whether an id without a namespace can be a name: no number,
// and not ending like a name with a hash.
func plainID(id string) bool {
	if strings.Trim(id, "0123456789") == "" || !plain(strings.ReplaceAll(id, "-", "_")) {
		return false
	}
	i := strings.LastIndexByte(id, '-')
	return i < 0 || len(id)-i-1 != hashDigits || strings.Trim(id[i+1:], "0123456789abcdef") != ""
}

func sanitize(s string) string {
	b := []byte(s)
	for i, c := range b {
		if !wordChar(c) {
			b[i] = '_'
		}
	}
	return string(b)
}

func cut(s string, n int) string { return s[:min(n, len(s))] }

func hash(namespace, id string) string {
	sum := sha256.Sum256([]byte(namespace + "\x00" + id))
	return hex.EncodeToString(sum[:])[:hashDigits]
}

// hostUUID is a UUID that stays the same for a container: the kernel derives the
// addresses of a VNET's interfaces from it.
func hostUUID(namespace, id string) string {
	u := sha256.Sum256([]byte("hostuuid\x00" + namespace + "\x00" + id))
	u[6] = u[6]&0x0f | 0x80 // version 8: made from data of one's own
	u[8] = u[8]&0x3f | 0x80 // the variant of RFC 9562
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:16])
}
