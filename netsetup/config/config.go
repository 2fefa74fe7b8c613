package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/pelletier/go-toml/v2"
)

// file is the configuration as it is written.
type file struct {
	Networks map[string]fileNetwork `toml:"networks"`
}

type fileNetwork struct {
	Subnets  []string    `toml:"subnets"`
	Gateways []string    `toml:"gateways"`
	Ranges   []string    `toml:"ranges"`
	Bridge   string      `toml:"bridge"`
	MTU      *int        `toml:"mtu"`
	NAT      *NAT        `toml:"nat"`
	Isolate  bool        `toml:"isolate"`
	Routes   []fileRoute `toml:"routes"`
	DNS      fileDNS     `toml:"dns"`
}

type fileRoute struct {
	Destination string `toml:"destination"`
	Gateway     string `toml:"gateway"`
}

type fileDNS struct {
	Servers []string `toml:"servers"`
	Search  []string `toml:"search"`
	Options []string `toml:"options"`
}

// What the network "default" has, and what the others have who say nothing.
var defaultSubnets = []string{"10.88.0.0/16", "fd00:88::/64"}

const defaultMTU = 1500

// Default returns the configuration of a host without a file: the network "default"
// with 10.88.0.0/16 and fd00:88::/64, MTU 1500, NAT by the firewall that runs.
func Default() *Config {
	c, err := Parse(nil)
	if err != nil {
		panic(err) // the constants above are wrong
	}
	return c
}

// Load reads the file at path. A file that is not there gives [Default]; anything
// wrong in it gives an error of class InvalidArgument that names the file, the line or
// the network, and the key.
func Load(path string) (*Config, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Default(), nil
	}
	if err != nil {
		return nil, fmt.Errorf("network configuration: %w", err)
	}
	c, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("network configuration %s: %w", path, err)
	}
	return c, nil
}

// Parse reads the text of a file.
func Parse(text []byte) (*Config, error) {
	var f file
	if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&f); err != nil {
		return nil, fmt.Errorf("%w: %w", readable(err), errdefs.ErrInvalidArgument)
	}
	if f.Networks == nil {
		f.Networks = map[string]fileNetwork{}
	}
	if d := f.Networks[DefaultNetwork]; d.Subnets == nil {
		d.Subnets = defaultSubnets
		f.Networks[DefaultNetwork] = d
	}
	c := &Config{Networks: map[string]*Network{}}
	for _, name := range slices.Sorted(maps.Keys(f.Networks)) {
		n, err := f.Networks[name].network(name)
		if err != nil {
			return nil, fmt.Errorf("network %q: %w: %w", name, err, errdefs.ErrInvalidArgument)
		}
		for _, other := range slices.Sorted(maps.Keys(c.Networks)) {
			if err := n.clash(c.Networks[other]); err != nil {
				return nil, fmt.Errorf("networks %q and %q: %w: %w", other, name, err, errdefs.ErrInvalidArgument)
			}
		}
		c.Networks[name] = n
	}
	return c, nil
}

// readable puts line and key before what the decoder says.
func readable(err error) error {
	var strict *toml.StrictMissingError
	var wrong *toml.DecodeError
	switch {
	case errors.As(err, &strict) && len(strict.Errors) > 0:
		line, _ := strict.Errors[0].Position()
		return fmt.Errorf("line %d: unknown key %q", line, strings.Join(strict.Errors[0].Key(), "."))
	case errors.As(err, &wrong):
		line, _ := wrong.Position()
		if key := strings.Join(wrong.Key(), "."); key != "" {
			return fmt.Errorf("line %d: key %q: %w", line, key, err)
		}
		return fmt.Errorf("line %d: %w", line, err)
	}
	return err
}

// Network returns a network by its name. An unknown name is an error of class
// NotFound that lists the known ones.
func (c *Config) Network(name string) (*Network, error) {
	n, ok := c.Networks[name]
	if !ok {
		return nil, fmt.Errorf("network %q is not configured, but %s: add [networks.%s] to the configuration: %w",
			name, strings.Join(slices.Sorted(maps.Keys(c.Networks)), ", "), name, errdefs.ErrNotFound)
	}
	return n, nil
}

// clash returns why two networks cannot both exist.
func (n *Network) clash(other *Network) error {
	if n.Bridge == other.Bridge {
		return fmt.Errorf("both have the bridge %q", n.Bridge)
	}
	for _, a := range n.Subnets() {
		for _, b := range other.Subnets() {
			if a.Prefix.Overlaps(b.Prefix) {
				return fmt.Errorf("their subnets %s and %s overlap", b.Prefix, a.Prefix)
			}
		}
	}
	return nil
}

// Subnets returns the subnets that the network has, IPv4 first.
func (n *Network) Subnets() []Subnet {
	return slices.DeleteFunc([]Subnet{n.IPv4, n.IPv6}, Subnet.IsZero)
}

// Subnet returns the subnet that an address is in.
func (n *Network) Subnet(a netip.Addr) (Subnet, bool) {
	for _, s := range n.Subnets() {
		if s.Prefix.Contains(a) {
			return s, true
		}
	}
	return Subnet{}, false
}
