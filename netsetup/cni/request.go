package cni

import (
	"encoding/json"
	"net"
	"net/netip"
	"slices"
	"strings"

	"jailshim/netsetup"
	"jailshim/netsetup/config"
	"jailshim/netsetup/link"
	"jailshim/netsetup/names"
	"jailshim/netsetup/port"
)

// Call is a call of the plugin: the variables of its environment and its standard
// input.
type Call struct {
	Command     string // CNI_COMMAND
	ContainerID string // CNI_CONTAINERID
	NetNS       string // CNI_NETNS: the jail's name
	IfName      string // CNI_IFNAME
	Args        string // CNI_ARGS
	Stdin       []byte
}

// parse reads the network configuration and checks the call.
func (c *Call) parse() (*netConf, error) {
	conf := &netConf{}
	if err := json.Unmarshal(c.Stdin, conf); err != nil {
		return nil, failed(codeDecode, "network configuration: %w", err)
	}
	if conf.CNIVersion == "" {
		conf.CNIVersion = versions[0]
	}
	if !slices.Contains(versions, conf.CNIVersion) {
		return nil, failed(codeVersion, "cniVersion %q is none of %s", conf.CNIVersion, strings.Join(versions, ", "))
	}
	if first := since[c.Command]; slices.Index(versions, conf.CNIVersion) < slices.Index(versions, first) {
		return nil, failed(codeVersion, "cniVersion %q has no %s: that came with %s", conf.CNIVersion, c.Command, first)
	}
	if !isID(conf.Name) {
		return nil, failed(codeConfig, "key name: %q is no name of a network", conf.Name)
	}
	if conf.Config == "" {
		conf.Config = config.DefaultPath
	}
	return conf, nil
}

// isID tells whether a word can be the name of a network, or a container's id.
func isID(s string) bool {
	const alphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	return s != "" && strings.Contains(alphanumeric, s[:1]) && strings.Trim(s, alphanumeric+"_.-") == ""
}

// check looks at the variables that a command about one attachment needs.
func (c *Call) check(needsJail bool) error {
	switch {
	case !isID(c.ContainerID):
		return failed(codeEnvironment, "CNI_CONTAINERID=%q is no id of a container", c.ContainerID)
	case c.IfName == "" || len(c.IfName) > link.MaxName || c.IfName == "." || c.IfName == ".." || strings.ContainsAny(c.IfName, "/: \t\r\n"):
		return failed(codeEnvironment, "CNI_IFNAME=%q is no name of an interface", c.IfName)
	case c.NetNS == "" && needsJail:
		return failed(codeEnvironment, "CNI_NETNS is missing: it must be the name of a VNET jail")
	case strings.ContainsRune(c.NetNS, '/'):
		return failed(codeEnvironment, "CNI_NETNS=%q is a path: it must be the name of a VNET jail", c.NetNS)
	}
	return nil
}

// args returns the pairs of CNI_ARGS.
func (c *Call) args() map[string]string {
	pairs := map[string]string{}
	for pair := range strings.SplitSeq(c.Args, ";") {
		if k, v, ok := strings.Cut(pair, "="); ok {
			pairs[k] = v
		}
	}
	return pairs
}

// request returns what an ADD asks the network for.
func (c *Call) request(n *netConf, network string) (netsetup.Request, error) {
	r := netsetup.Request{Owner: owner(n.Name, c.ContainerID, c.IfName), Network: network, Interface: c.IfName}
	args := c.args()
	ips := append(slices.Clone(n.Runtime.IPs), n.Args.CNI.IPs...)
	if ip := args["IP"]; ip != "" {
		ips = append(ips, ip)
	}
	if err := setIPs(&r, ips); err != nil {
		return r, err
	}
	for _, text := range []string{n.Runtime.MAC, n.Args.CNI.MAC, args["MAC"]} {
		if text == "" {
			continue
		}
		mac, err := net.ParseMAC(text)
		if err != nil {
			return r, failed(codeConfig, "mac %q: %w", text, err)
		}
		r.MAC = mac
		break
	}
	if err := setPorts(&r, n); err != nil {
		return r, err
	}
	for _, name := range []string{args["K8S_POD_NAME"], c.ContainerID} {
		if names.CheckName(name) == nil {
			r.Names = append(r.Names, name)
		}
	}
	return r, nil
}

// setIPs reads addresses, with or without the length of a prefix.
func setIPs(r *netsetup.Request, ips []string) error {
	for _, text := range ips {
		a, err := netip.ParseAddr(text)
		if p, prefixErr := netip.ParsePrefix(text); prefixErr == nil {
			a, err = p.Addr(), nil
		}
		if err != nil {
			return failed(codeConfig, "ips: %q is no address", text)
		}
		of := &r.IPv4
		if a.Is6() {
			of = &r.IPv6
		}
		if of.IsValid() && *of != a {
			return failed(codeConfig, "ips: %s and %s are of one family", *of, a)
		}
		*of = a
	}
	return nil
}

// setPorts reads port mappings. Those without a port of the host publish nothing.
func setPorts(r *netsetup.Request, n *netConf) error {
	for _, p := range n.Runtime.Ports {
		if p.HostPort == 0 {
			continue
		}
		m := port.Mapping{HostPort: p.HostPort, ContainerPort: p.ContainerPort, Count: 1, Protocol: port.Protocol(strings.ToLower(p.Protocol))}
		if m.Protocol == "" {
			m.Protocol = port.TCP
		}
		if p.HostIP != "" {
			a, err := netip.ParseAddr(p.HostIP)
			if err != nil {
				return failed(codeConfig, "portMappings: %q is no address of a host", p.HostIP)
			}
			if !a.IsUnspecified() {
				m.HostIP = a.Unmap()
			}
		}
		r.Ports = append(r.Ports, m)
	}
	if err := port.Check(r.Ports); err != nil {
		return failed(codeConfig, "portMappings: %w", err)
	}
	return nil
}
