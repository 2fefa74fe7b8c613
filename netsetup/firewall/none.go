package firewall

import (
	"context"
	"fmt"

	"github.com/containerd/errdefs"
)

// noneDriver is the driver of networks that are routed.
type noneDriver struct{}

var _ Driver = noneDriver{}

func (noneDriver) Name() string { return None }

func (noneDriver) Check(context.Context) ([]string, error) { return nil, nil }

func (noneDriver) AddNetwork(context.Context, Network) ([]string, error) { return nil, nil }

func (noneDriver) RemoveNetwork(context.Context, Network) error { return nil }

func (noneDriver) Publish(_ context.Context, a Attachment) error {
	if len(a.Ports) == 0 {
		return nil
	}
	return fmt.Errorf("publish ports of %q: network %q has nat = \"none\": its containers are reached at their own addresses: %w", a.Owner, a.Network.Name, errdefs.ErrFailedPrecondition)
}

func (noneDriver) Unpublish(context.Context, Attachment) error { return nil }

func (noneDriver) List(context.Context) ([]Entry, error) { return nil, nil }

func (noneDriver) Remove(context.Context, Entry) error { return nil }
