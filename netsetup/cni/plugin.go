package cni

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/containerd/errdefs"

	"jailshim/netsetup"
	"jailshim/netsetup/config"
	"jailshim/netsetup/link"
)

// Networks is what the plugin wants of package netsetup; see [netsetup.Manager].
type Networks interface {
	Reserve(ctx context.Context, r netsetup.Request) (*netsetup.Attachment, error)
	Attach(ctx context.Context, a *netsetup.Attachment, jid int) ([]link.Call, error)
	Detach(ctx context.Context, a *netsetup.Attachment) error
	GC(ctx context.Context, alive func(owner string) bool) ([]netsetup.Leftover, error)
	Check(ctx context.Context, network string) (warnings []string, err error)
}

var _ Networks = (*netsetup.Manager)(nil)

// Jails is what it wants of jails.
type Jails interface {
	// Find returns the jid of a jail with a network stack of its own. NotFound: there
	// is no such jail. FailedPrecondition: it has the host's network.
	Find(name string) (jid int, err error)
	// Configure makes calls in a jail's network stack.
	Configure(ctx context.Context, jid int, calls []link.Call) error
	// Interfaces returns the interfaces there.
	Interfaces(ctx context.Context, jid int) ([]link.Interface, error)
}

// Plugin answers calls.
type Plugin struct {
	RunDir string // of the records; see the constant
	Jails  Jails
	// Open returns the networks of a configuration file.
	Open func(configFile string) (Networks, error)
}

// Run answers a call. It returns what is to be printed, and whether all went well.
func (p *Plugin) Run(ctx context.Context, c *Call) (output []byte, ok bool) {
	version := Version
	out, err := p.run(ctx, c, &version)
	if err != nil {
		return encodeError(version, err), false
	}
	return out, true
}

// command is what a request works with.
type command struct {
	*Plugin
	call    *Call
	conf    *netConf
	records records
}

func (p *Plugin) run(ctx context.Context, c *Call, version *string) ([]byte, error) {
	if c.Command == "VERSION" {
		return encode(struct {
			CNIVersion string   `json:"cniVersion"`
			Supported  []string `json:"supportedVersions"`
		}{Version, versions})
	}
	do := map[string]func(*command, context.Context) (any, error){
		"ADD": (*command).add, "DEL": (*command).del, "CHECK": (*command).check, "GC": (*command).gc, "STATUS": (*command).status,
	}[c.Command]
	if do == nil {
		return nil, failed(codeEnvironment, "CNI_COMMAND=%q is none of ADD, DEL, CHECK, GC, STATUS, VERSION", c.Command)
	}
	n, err := c.parse()
	if err != nil {
		return nil, err
	}
	*version = n.CNIVersion
	s, err := openRecords(p.RunDir)
	if err != nil {
		return nil, err
	}
	answer, err := do(&command{p, c, n, s}, ctx)
	if err != nil || answer == nil {
		return nil, err
	}
	return encode(answer)
}

func encode(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	return append(b, '\n'), err
}

// network returns the name of the network that is meant, of the machine's configuration.
func (c *command) network() (string, error) {
	conf, err := config.Load(c.conf.Config)
	if err != nil {
		return "", err
	}
	name := c.conf.Network
	if name == "" {
		name = c.conf.Name
	}
	n, err := conf.Network(name)
	if err != nil {
		return "", err
	}
	return n.Name, nil
}

// add attaches a jail. On an error nothing is left.
func (c *command) add(ctx context.Context) (any, error) {
	if err := c.call.check(true); err != nil {
		return nil, err
	}
	jid, err := c.find()
	if err != nil {
		return nil, err
	}
	network, err := c.network()
	if err != nil {
		return nil, err
	}
	r, err := c.call.request(c.conf, network)
	if err != nil {
		return nil, err
	}
	rec := &record{Name: c.conf.Name, ID: attachmentID{c.call.ContainerID, c.call.IfName}, Jail: c.call.NetNS, Config: c.conf.Config}
	manager, err := c.Open(c.conf.Config)
	if err != nil {
		return nil, err
	}
	if err := c.records.claim(ctx, rec); err != nil {
		return nil, err
	}
	if err := c.attach(ctx, manager, r, rec, jid); err != nil {
		return nil, c.records.undo(ctx, manager, rec, err)
	}
	return newResult(c.conf.CNIVersion, rec.Jail, rec.Attachment), nil
}

// attach does what add undoes on an error.
func (c *command) attach(ctx context.Context, manager Networks, r netsetup.Request, rec *record, jid int) (err error) {
	if rec.Attachment, err = manager.Reserve(ctx, r); err != nil {
		return err
	}
	if err := c.records.write(ctx, rec); err != nil {
		return err
	}
	calls, err := manager.Attach(ctx, rec.Attachment, jid)
	if err != nil {
		return err
	}
	if err := c.Jails.Configure(ctx, jid, append(link.Loopback(), calls...)); err != nil {
		return fmt.Errorf("configure the network of jail %q: %w", rec.Jail, err)
	}
	return nil
}

// find returns the jail of the call.
func (c *command) find() (int, error) {
	jid, err := c.Jails.Find(c.call.NetNS)
	switch {
	case errdefs.IsNotFound(err):
		return 0, failed(codeNoContainer, "CNI_NETNS=%q: %w", c.call.NetNS, err)
	case errdefs.IsFailedPrecondition(err):
		return 0, failed(codeEnvironment, "CNI_NETNS=%q: %w", c.call.NetNS, err)
	}
	return jid, err
}

// del detaches a jail, which may be gone. What isn't there is no error.
func (c *command) del(ctx context.Context) (any, error) {
	if err := c.call.check(false); err != nil {
		return nil, err
	}
	o := owner(c.conf.Name, c.call.ContainerID, c.call.IfName)
	rec, err := c.records.read(ctx, o)
	if err != nil {
		return nil, err
	}
	if rec == nil {
		rec = &record{Config: c.conf.Config}
	}
	manager, err := c.Open(rec.Config)
	if err != nil {
		return nil, err
	}
	return nil, c.records.detach(ctx, manager, o, rec.Attachment)
}
