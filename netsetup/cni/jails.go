package cni

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/containerd/errdefs"

	"jailshim/jailctl/kernel"
	"jailshim/netsetup/link"
)

// Kernel is the running kernel's jails.
type Kernel struct {
	// Program is the path of a program that calls [Inside] when it is started with
	// the one argument InsideArg.
	Program string
}

var _ Jails = Kernel{}

// InsideArg is the argument for a copy that is to work in a jail.
const InsideArg = "inside"

// order is what such a copy does, and answer what came of it.
type order struct {
	JID   int         `json:"jid"`
	Calls []link.Call `json:"calls"`
	List  bool        `json:"list"`
}

type answer struct {
	Interfaces []link.Interface `json:"interfaces"`
}

// Find implements [Jails].
func (Kernel) Find(name string) (int, error) {
	j, err := kernel.OpenJail(name)
	if errors.Is(err, syscall.ENOENT) {
		return 0, fmt.Errorf("there is no jail %q: %w", name, errdefs.ErrNotFound)
	}
	if err != nil {
		return 0, err
	}
	values, err := j.Get("vnet")
	if err = errors.Join(err, j.Close()); err != nil {
		return 0, err
	}
	vnet, err := kernel.DecodeInt(values["vnet"])
	if err != nil {
		return 0, fmt.Errorf("jail %q: vnet: %w", name, err)
	}
	if vnet != kernel.New {
		return 0, fmt.Errorf("jail %q has no network stack of its own: it must be made with the parameter vnet: %w", name, errdefs.ErrFailedPrecondition)
	}
	return j.ID, nil
}

// Configure implements [Jails].
func (k Kernel) Configure(ctx context.Context, jid int, calls []link.Call) error {
	_, err := k.inside(ctx, order{JID: jid, Calls: calls})
	return err
}

// Interfaces implements [Jails].
func (k Kernel) Interfaces(ctx context.Context, jid int) ([]link.Interface, error) {
	a, err := k.inside(ctx, order{JID: jid, List: true})
	return a.Interfaces, err
}

// inside starts a copy of the program that works in a jail.
func (k Kernel) inside(ctx context.Context, o order) (a answer, err error) {
	text, err := json.Marshal(o)
	if err != nil {
		return a, err
	}
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, k.Program, InsideArg)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(text), &out, &errs
	cmd.Env = os.Environ()
	if err := cmd.Run(); err != nil {
		if text := strings.TrimSpace(errs.String()); text != "" {
			return a, errors.New(text)
		}
		return a, fmt.Errorf("%s %s: %w", k.Program, InsideArg, err)
	}
	return a, json.Unmarshal(out.Bytes(), &a)
}

// Inside attaches the process to the jail that in names, for good, and does there what
// in says.
func Inside(in io.Reader, out io.Writer) error {
	var o order
	if err := json.NewDecoder(in).Decode(&o); err != nil {
		return err
	}
	if err := kernel.JailFromFile(nil, o.JID).Attach(); err != nil {
		return err
	}
	if err := link.Run(o.Calls); err != nil {
		return err
	}
	var a answer
	if o.List {
		var err error
		if a.Interfaces, err = link.List(); err != nil {
			return err
		}
	}
	return json.NewEncoder(out).Encode(a)
}
