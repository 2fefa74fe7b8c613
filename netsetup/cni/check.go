package cni

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"jailshim/netsetup"
	"jailshim/netsetup/link"
)

// check tells whether all is as ADD left it.
func (c *command) check(ctx context.Context) (any, error) {
	if err := c.call.check(true); err != nil {
		return nil, err
	}
	rec, err := c.records.read(ctx, owner(c.conf.Name, c.call.ContainerID, c.call.IfName))
	switch {
	case err != nil:
		return nil, err
	case rec == nil || rec.Attachment == nil:
		return nil, failed(codeNoContainer, "container %q is not attached as %s", c.call.ContainerID, c.call.IfName)
	case rec.Jail != c.call.NetNS:
		return nil, failed(codeEnvironment, "container %q is in jail %q, not %q", c.call.ContainerID, rec.Jail, c.call.NetNS)
	}
	if err := c.checkPrevious(rec.Attachment); err != nil {
		return nil, err
	}
	jid, err := c.find()
	if err != nil {
		return nil, err
	}
	there, err := c.Jails.Interfaces(ctx, jid)
	if err != nil {
		return nil, fmt.Errorf("interfaces of jail %q: %w", rec.Jail, err)
	}
	return nil, checkInterface(rec, there)
}

// checkPrevious compares what the runtime remembers of ADD with the record.
func (c *command) checkPrevious(a *netsetup.Attachment) error {
	if len(c.conf.PrevResult) == 0 {
		return failed(codeConfig, "key prevResult is missing, which CHECK needs")
	}
	var previous result
	if err := json.Unmarshal(c.conf.PrevResult, &previous); err != nil {
		return failed(codeDecode, "prevResult: %w", err)
	}
	for _, p := range a.Addrs {
		if !slices.ContainsFunc(previous.IPs, func(ip ipConfig) bool { return ip.Address == p }) {
			return failed(codeConfig, "prevResult lacks the address %s of container %q", p, c.call.ContainerID)
		}
	}
	return nil
}

// checkInterface looks for what ADD made in the jail.
func checkInterface(rec *record, there []link.Interface) error {
	a := rec.Attachment
	i := slices.IndexFunc(there, func(i link.Interface) bool { return i.Name == a.Interface })
	if i < 0 {
		return failed(codeLost, "jail %q has no interface %q any more", rec.Jail, a.Interface)
	}
	if there[i].Flags&link.FlagUp == 0 {
		return failed(codeLost, "interface %q of jail %q is down", a.Interface, rec.Jail)
	}
	for _, p := range a.Addrs {
		if !there[i].Has(p.Addr()) {
			return failed(codeLost, "interface %q of jail %q has lost its address %s", a.Interface, rec.Jail, p)
		}
	}
	return nil
}

// gc detaches what the runtime doesn't list.
func (c *command) gc(ctx context.Context) (any, error) {
	if len(c.conf.Valid) == 0 {
		return nil, failed(codeConfig, "key cni.dev/valid-attachments is missing, which GC needs")
	}
	var valid []attachmentID
	if err := json.Unmarshal(c.conf.Valid, &valid); err != nil {
		return nil, failed(codeDecode, "cni.dev/valid-attachments: %w", err)
	}
	owners, err := c.records.owners()
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, o := range owners {
		errs = append(errs, c.collect(ctx, o, valid))
	}
	return nil, errors.Join(errs...)
}

// collect detaches an owner if it is of this network and not valid.
func (c *command) collect(ctx context.Context, owner string, valid []attachmentID) error {
	rec, err := c.records.read(ctx, owner)
	if err != nil || rec == nil || rec.Name != c.conf.Name || slices.Contains(valid, rec.ID) {
		return err
	}
	manager, err := c.Open(rec.Config)
	if err != nil {
		return err
	}
	if err := c.records.detach(ctx, manager, owner, rec.Attachment); err != nil {
		return fmt.Errorf("container %q, %s: %w", rec.ID.ContainerID, rec.ID.IfName, err)
	}
	return nil
}

// status tells whether ADD can work.
func (c *command) status(ctx context.Context) (any, error) {
	network, err := c.network()
	if err != nil {
		return nil, err
	}
	manager, err := c.Open(c.conf.Config)
	if err != nil {
		return nil, err
	}
	if _, err := manager.Check(ctx, network); err != nil {
		return nil, failed(codeUnavailable, "%w", err)
	}
	return nil, nil
}
