package port

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
)

// Protocol is a protocol with ports.
type Protocol string

// The protocols.
const (
	TCP  Protocol = "tcp"
	UDP  Protocol = "udp"
	SCTP Protocol = "sctp"
)

// Mapping publishes Count successive ports of a container on the host.
type Mapping struct {
	HostIP        netip.Addr `json:"host_ip,omitzero"` // zero: every address of the host, of both families
	HostPort      uint16     `json:"host_port"`        // the first
	ContainerPort uint16     `json:"container_port"`   // the first
	Count         uint16     `json:"count"`            // at least 1
	Protocol      Protocol   `json:"protocol"`
}

// String returns the mapping in the form that Parse takes.
func (m Mapping) String() string {
	s := portRange(m.HostPort, m.Count) + ":" + portRange(m.ContainerPort, m.Count) + "/" + string(m.Protocol)
	switch {
	case !m.HostIP.IsValid():
		return s
	case m.HostIP.Is6():
		return "[" + m.HostIP.String() + "]:" + s
	}
	return m.HostIP.String() + ":" + s
}

func portRange(first, count uint16) string {
	s := strconv.Itoa(int(first))
	if count > 1 {
		s += "-" + strconv.Itoa(int(first)+int(count)-1)
	}
	return s
}

// Format returns the mappings in the form that Parse takes.
func Format(list []Mapping) string {
	texts := make([]string, len(list))
	for i, m := range list {
		texts[i] = m.String()
	}
	return strings.Join(texts, ",")
}

// Check returns an error of class InvalidArgument if a mapping is malformed or two of
// the list want one port of the host.
func Check(list []Mapping) error {
	for i, m := range list {
		if err := m.check(); err != nil {
			return fmt.Errorf("published port %s: %w: %w", m, err, errdefs.ErrInvalidArgument)
		}
		for _, other := range list[:i] {
			if p, ok := m.shares(other); ok {
				return fmt.Errorf("published ports %s and %s both want port %d/%s of the host: %w", other, m, p, m.Protocol, errdefs.ErrInvalidArgument)
			}
		}
	}
	return nil
}

func (m Mapping) check() error {
	switch {
	case m.Protocol != TCP && m.Protocol != UDP && m.Protocol != SCTP:
		return fmt.Errorf("protocol %q is none of tcp, udp, sctp", m.Protocol)
	case m.HostPort == 0 || m.ContainerPort == 0 || m.Count == 0:
		return fmt.Errorf("ports are numbers from 1 to %d", maxPort)
	case int(m.HostPort)+int(m.Count)-1 > maxPort || int(m.ContainerPort)+int(m.Count)-1 > maxPort:
		return fmt.Errorf("it goes beyond port %d", maxPort)
	case m.HostIP.Is4In6() || m.HostIP.Zone() != "" || m.HostIP.IsMulticast():
		return fmt.Errorf("%s cannot be an address of a host's port", m.HostIP)
	case m.HostIP.IsValid() && m.HostIP.IsUnspecified():
		return fmt.Errorf("%s means every address: name none", m.HostIP)
	}
	return nil
}

const maxPort = 1<<16 - 1

// shares returns the first port of the host that both mappings want.
func (m Mapping) shares(other Mapping) (uint16, bool) {
	if m.Protocol != other.Protocol || m.HostIP.IsValid() && other.HostIP.IsValid() && m.HostIP != other.HostIP {
		return 0, false
	}
	first := max(m.HostPort, other.HostPort)
	last := min(int(m.HostPort)+int(m.Count), int(other.HostPort)+int(other.Count)) - 1
	return first, int(first) <= last
}
