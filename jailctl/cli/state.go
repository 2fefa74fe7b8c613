package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"strconv"
	"syscall"
	"text/tabwriter"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/urfave/cli"

	"jailshim/internal/lazyjson"
	"jailshim/jailctl"
)

// containerState is what runc prints of a container: the specification's state
// and more.
type containerState struct {
	Version     string               `json:"ociVersion"`
	ID          string               `json:"id"`
	Pid         int                  `json:"pid"`
	Status      specs.ContainerState `json:"status"`
	Bundle      string               `json:"bundle"`
	Rootfs      string               `json:"rootfs"`
	Created     time.Time            `json:"created"`
	Annotations map[string]string    `json:"annotations,omitempty"`
	Owner       string               `json:"owner"`
}

func stateOf(k *jailctl.Container) containerState {
	s := k.State()
	return containerState{
		Version:     s.Version,
		ID:          s.ID,
		Pid:         s.Pid,
		Status:      s.Status,
		Bundle:      s.Bundle,
		Rootfs:      k.Root(),
		Created:     k.Made().UTC(),
		Annotations: s.Annotations,
	}
}

func (p *Program) stateCommand(context.Context) cli.Command {
	return cli.Command{
		Name:      "state",
		Usage:     "print the state of a container",
		ArgsUsage: "<container-id>",
		Action: func(c *cli.Context) error {
			id, err := id(c)
			if err != nil {
				return err
			}
			k, err := p.load(id)
			if err != nil {
				return err
			}
			return p.print(stateOf(k))
		},
	}
}

// print prints a value as JSON for people.
func (p *Program) print(v any) error {
	text, err := lazyjson.Marshal(v)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, text, "", "  "); err != nil {
		return err
	}
	out.WriteByte('\n')
	_, err = out.WriteTo(p.Stdout)
	return err
}

// formatFlag selects between a table for people and JSON.
var formatFlag = cli.StringFlag{Name: "format, f", Value: "table", Usage: "'table' or 'json'"}

// asJSON reads formatFlag.
func asJSON(c *cli.Context) (bool, error) {
	switch f := c.String("format"); f {
	case "table":
		return false, nil
	case "json":
		return true, nil
	default:
		return false, fmt.Errorf("invalid format %q: it is table or json", f)
	}
}

func (p *Program) listCommand(context.Context) cli.Command {
	return cli.Command{
		Name:  "list",
		Usage: "list the containers below --root",
		Flags: []cli.Flag{formatFlag, cli.BoolFlag{Name: "quiet, q", Usage: "only their ids"}},
		Action: func(c *cli.Context) error {
			if err := arguments(c, 0, 0); err != nil {
				return err
			}
			inJSON, err := asJSON(c)
			if err != nil {
				return err
			}
			all, err := p.runtime.List()
			if err != nil {
				// The others can be listed all the same.
				slog.Warn("a container can't be listed", "error", err)
			}
			states := make([]containerState, 0, len(all))
			for _, k := range all {
				s := stateOf(k)
				s.Owner = owner(k.Folder())
				states = append(states, s)
			}
			switch {
			case c.Bool("quiet"):
				for _, s := range states {
					fmt.Fprintln(p.Stdout, s.ID)
				}
				return nil
			case inJSON:
				return json.NewEncoder(p.Stdout).Encode(states)
			}
			return p.table(states)
		},
	}
}

func (p *Program) table(states []containerState) error {
	w := tabwriter.NewWriter(p.Stdout, 12, 1, 3, ' ', 0)
	fmt.Fprintln(w, "ID\tPID\tSTATUS\tBUNDLE\tCREATED\tOWNER")
	for _, s := range states {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\n", s.ID, s.Pid, s.Status, s.Bundle, s.Created.Format(time.RFC3339Nano), s.Owner)
	}
	return w.Flush()
}

// owner returns the name of who owns a folder, or the number after "#".
func owner(path string) string {
	fi, err := os.Stat(path)
	if err != nil {
		return ""
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	uid := strconv.Itoa(int(st.Uid))
	if u, err := user.LookupId(uid); err == nil {
		return u.Username
	}
	return "#" + uid
}
