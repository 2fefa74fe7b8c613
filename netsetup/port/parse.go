package port

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
)

// Parse reads mappings separated by commas: [HOST:]PORT:PORT[/tcp|udp|sctp], where
// PORT is a number or a range A-B and an IPv6 HOST is in brackets. The empty text is
// an empty list. Errors are of class InvalidArgument and quote the part that is wrong.
// Two mappings of the list that want one port of the host are an error as well.
func Parse(text string) ([]Mapping, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var list []Mapping
	for part := range strings.SplitSeq(text, ",") {
		m, err := parseMapping(strings.TrimSpace(part))
		if err != nil {
			return nil, fmt.Errorf("published port %q: %w: %w", part, err, errdefs.ErrInvalidArgument)
		}
		list = append(list, m)
	}
	return list, Check(list)
}

const form = `[HOST:]PORT:PORT[/tcp|udp|sctp], such as 8080:80/tcp`

func parseMapping(text string) (Mapping, error) {
	m := Mapping{Protocol: TCP}
	ports, protocol, ok := strings.Cut(text, "/")
	if ok {
		m.Protocol = Protocol(strings.ToLower(protocol))
	}
	rest, container, ok := cutLast(ports)
	if !ok {
		return m, fmt.Errorf("the host's port is missing: write %s", form)
	}
	host, hostPort, ok := cutLast(rest)
	if ok {
		var err error
		if m.HostIP, err = parseHost(host); err != nil {
			return m, err
		}
	}
	first, count, err := parseRange(hostPort)
	if err != nil {
		return m, err
	}
	toFirst, toCount, err := parseRange(container)
	if err != nil {
		return m, err
	}
	if count != toCount {
		return m, fmt.Errorf("%d ports of the host stand against %d of the container", count, toCount)
	}
	m.HostPort, m.ContainerPort, m.Count = first, toFirst, count
	return m, m.check()
}

// cutLast cuts at the last colon.
func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return "", s, false
	}
	return s[:i], s[i+1:], true
}

// parseHost reads the host's address; 0.0.0.0 and [::] would leave out one family,
// and are refused by check.
func parseHost(text string) (netip.Addr, error) {
	inner, open := strings.CutPrefix(text, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	a, err := netip.ParseAddr(inner)
	switch {
	case err != nil:
		return a, fmt.Errorf("%q is no address of a host: write %s", text, form)
	case a.Is6() && (!open || !closed):
		return a, fmt.Errorf("write the address %s in brackets", a)
	case a.Is4() && (open || closed):
		return a, fmt.Errorf("write the address %s without brackets", a)
	}
	return a, nil
}

// parseRange reads A or A-B.
func parseRange(text string) (first, count uint16, err error) {
	from, to, ok := strings.Cut(text, "-")
	if !ok {
		to = from
	}
	a, err := parsePort(from)
	if err != nil {
		return 0, 0, err
	}
	b, err := parsePort(to)
	if err != nil {
		return 0, 0, err
	}
	if b < a {
		return 0, 0, fmt.Errorf("%q is no range of ports", text)
	}
	return a, b - a + 1, nil
}

func parsePort(text string) (uint16, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 || text[0] == '+' || text[0] == '0' {
		return 0, fmt.Errorf("%q is no port: a number from 1 to %d is", text, maxPort)
	}
	return uint16(n), nil
}

// nerdctlPort is go-cni's PortMapping, as nerdctl writes it.
type nerdctlPort struct {
	HostPort      int32
	ContainerPort int32
	Protocol      string
	HostIP        string
}

// ParseNerdctl reads the JSON that nerdctl leaves of its -p options: a list in the
// annotation nerdctl/ports, or since 2.1 an object with the list as "portMappings" in
// the container's file network-config.json. 0.0.0.0 there means every address of the
// host. The empty text is an empty list.
func ParseNerdctl(text string) ([]Mapping, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, nil
	}
	var file struct {
		PortMappings []nerdctlPort `json:"portMappings"`
	}
	var err error
	if text[0] == '[' {
		err = json.Unmarshal([]byte(text), &file.PortMappings)
	} else {
		err = json.Unmarshal([]byte(text), &file)
	}
	if err != nil {
		return nil, fmt.Errorf("ports that nerdctl recorded: %w: %w", err, errdefs.ErrInvalidArgument)
	}
	var list []Mapping
	for _, p := range file.PortMappings {
		m, err := p.mapping()
		if err != nil {
			return nil, fmt.Errorf("port %+v that nerdctl recorded: %w: %w", p, err, errdefs.ErrInvalidArgument)
		}
		list = join(list, m)
	}
	return list, Check(list)
}

func (p nerdctlPort) mapping() (Mapping, error) {
	if p.HostPort < 1 || p.HostPort > maxPort || p.ContainerPort < 1 || p.ContainerPort > maxPort {
		return Mapping{}, fmt.Errorf("ports are numbers from 1 to %d", maxPort)
	}
	m := Mapping{HostPort: uint16(p.HostPort), ContainerPort: uint16(p.ContainerPort), Count: 1, Protocol: Protocol(strings.ToLower(p.Protocol))}
	if m.Protocol == "" {
		m.Protocol = TCP
	}
	if p.HostIP != "" {
		a, err := netip.ParseAddr(p.HostIP)
		if err != nil {
			return m, fmt.Errorf("%q is no address", p.HostIP)
		}
		if !a.IsUnspecified() {
			m.HostIP = a.Unmap()
		}
	}
	return m, m.check()
}

// join adds a mapping, as a part of the last one if it goes on where that ends:
// nerdctl records a range port by port.
func join(list []Mapping, m Mapping) []Mapping {
	if len(list) > 0 {
		last := &list[len(list)-1]
		if last.Protocol == m.Protocol && last.HostIP == m.HostIP && last.HostPort+last.Count == m.HostPort && last.ContainerPort+last.Count == m.ContainerPort {
			last.Count++
			return list
		}
	}
	return append(list, m)
}
