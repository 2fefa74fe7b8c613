//go:build !freebsd

package ipfw

import (
	"errors"
	"testing"
)

func TestConn_OtherSystems_Unsupported(t *testing.T) {
	_, open := Open()
	c := &Conn{}
	_, rules := c.Rules(1, 2)
	_, table := c.CreateTable("", BySource)
	_, nats := c.NATs()
	for i, err := range []error{
		open, rules, table, nats, c.Close(), c.AddRules(nil), c.DeleteRules(0, 0, 0), c.DisableSet(0), c.EnableSet(0), c.SwapSets(0, 0),
		c.DestroyTable(""), c.AddEntries("", BySource, nil), c.DeleteEntries("", BySource, nil), c.SetNAT(Instance{}), c.DeleteNAT(0),
	} {
		if !errors.Is(err, ErrUnsupported) {
			t.Errorf("call %d: got %v, want ErrUnsupported", i, err)
		}
	}
}
