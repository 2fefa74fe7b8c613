package names

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Resolver is the contents of a resolv.conf.
type Resolver struct {
	Servers []netip.Addr
	Search  []string
	Options []string
}

// Text returns the file.
func (r Resolver) Text() []byte {
	var b bytes.Buffer
	if len(r.Search) > 0 {
		fmt.Fprintf(&b, "search %s\n", strings.Join(r.Search, " "))
	}
	for _, s := range r.Servers {
		fmt.Fprintf(&b, "nameserver %s\n", s)
	}
	if len(r.Options) > 0 {
		fmt.Fprintf(&b, "options %s\n", strings.Join(r.Options, " "))
	}
	return b.Bytes()
}

// ParseResolver reads the text of a resolv.conf as resolver(5) does: the last search
// or domain line wins, lines that mean nothing are skipped.
func ParseResolver(text []byte) Resolver {
	var r Resolver
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
			continue
		}
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		switch words[0] {
		case "nameserver":
			if a, err := netip.ParseAddr(words[1]); err == nil {
				r.Servers = append(r.Servers, a)
			}
		case "search":
			r.Search = words[1:]
		case "domain":
			r.Search = words[1:2]
		case "options":
			r.Options = append(r.Options, words[1:]...)
		}
	}
	return r
}

// maxServers is MAXNS, include/resolv.h:104: what comes after is not asked.
const maxServers = 3

// ForContainer returns what a container gets: own where it says something, else the
// host's without the servers that a container can't reach (loopback addresses and
// those with a zone), with a warning for what was dropped.
func ForContainer(own, host Resolver) (r Resolver, warnings []string) {
	r = Resolver{Servers: own.Servers, Search: own.Search, Options: own.Options}
	if len(r.Search) == 0 {
		r.Search = host.Search
	}
	if len(r.Options) == 0 {
		r.Options = host.Options
	}
	if len(r.Servers) == 0 {
		r.Servers = slices.DeleteFunc(slices.Clone(host.Servers), func(a netip.Addr) bool {
			if a.IsLoopback() || a.IsUnspecified() || a.Zone() != "" {
				warnings = append(warnings, fmt.Sprintf("the host's name server %s can't be reached from a container: set dns.servers of the network in the configuration", a))
				return true
			}
			return false
		})
	}
	if len(r.Servers) > maxServers {
		warnings = append(warnings, fmt.Sprintf("of %d name servers only the first %d are asked", len(r.Servers), maxServers))
	}
	return r, warnings
}
