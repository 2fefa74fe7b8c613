package cni

import (
	"encoding/json"
	"net/netip"
)

// Version is that of the specification that the plugin is written for.
const Version = "1.1.0"

// versions are those whose requests and results it knows, oldest first.
var versions = []string{"0.3.1", "0.4.0", "1.0.0", Version}

// since tells which commands came after the oldest of these versions.
var since = map[string]string{"CHECK": "0.4.0", "GC": "1.1.0", "STATUS": "1.1.0"}

// netConf is a network configuration with what the runtime adds, as it comes on the
// standard input. Other keys are other plugins'.
type netConf struct {
	CNIVersion string `json:"cniVersion"`
	Name       string `json:"name"`
	Type       string `json:"type"`

	Network string `json:"network"`
	Config  string `json:"config"`

	Runtime struct {
		Ports []struct {
			HostPort      uint16 `json:"hostPort"`
			ContainerPort uint16 `json:"containerPort"`
			Protocol      string `json:"protocol"`
			HostIP        string `json:"hostIP"`
		} `json:"portMappings"`
		IPs []string `json:"ips"`
		MAC string   `json:"mac"`
	} `json:"runtimeConfig"`
	Args struct {
		CNI struct {
			IPs []string `json:"ips"`
			MAC string   `json:"mac"`
		} `json:"cni"`
	} `json:"args"`

	PrevResult json.RawMessage `json:"prevResult"`
	Valid      json.RawMessage `json:"cni.dev/valid-attachments"`
}

// attachmentID names an attachment in requests.
type attachmentID struct {
	ContainerID string `json:"containerID"`
	IfName      string `json:"ifname"`
}

// result is what ADD answers.
type result struct {
	CNIVersion string      `json:"cniVersion"`
	Interfaces []netIf     `json:"interfaces,omitempty"`
	IPs        []ipConfig  `json:"ips,omitempty"`
	Routes     []routeConf `json:"routes,omitempty"`
	DNS        dnsConf     `json:"dns"`
}

type netIf struct {
	Name    string `json:"name"`
	MAC     string `json:"mac,omitempty"`
	MTU     int    `json:"mtu,omitempty"` // since 1.1.0
	Sandbox string `json:"sandbox,omitempty"`
}

type ipConfig struct {
	Version   string       `json:"version,omitempty"` // before 1.0.0: 4 or 6
	Address   netip.Prefix `json:"address"`
	Gateway   netip.Addr   `json:"gateway,omitzero"`
	Interface int          `json:"interface"`
}

type routeConf struct {
	Destination netip.Prefix `json:"dst"`
	Gateway     netip.Addr   `json:"gw,omitzero"`
}

type dnsConf struct {
	Nameservers []string `json:"nameservers,omitempty"`
	Search      []string `json:"search,omitempty"`
	Options     []string `json:"options,omitempty"`
}
