package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli"

	"jailshim/jailctl/kernel"
)

func (p *Program) psCommand(ctx context.Context) cli.Command {
	return cli.Command{
		Name:      "ps",
		Usage:     "show the processes of a container, by their pids on the host",
		ArgsUsage: "<container-id> [ps options]",
		Flags:     []cli.Flag{formatFlag},
		// What follows the id is for ps(1).
		SkipArgReorder: true,
		Action: func(c *cli.Context) error {
			if err := arguments(c, 1, -1); err != nil {
				return err
			}
			inJSON, err := asJSON(c)
			if err != nil {
				return err
			}
			id, err := checkID(c.Args().First())
			if err != nil {
				return err
			}
			k, err := p.load(id)
			if err != nil {
				return err
			}
			all, err := k.Processes(ctx)
			if err != nil {
				return err
			}
			pids := make([]int, 0, len(all))
			for _, q := range all {
				pids = append(pids, q.Pid)
			}
			switch options := c.Args().Tail(); {
			case inJSON:
				return json.NewEncoder(p.Stdout).Encode(pids)
			case len(options) > 0:
				return p.hostPs(ctx, pids, options)
			}
			return p.processTable(all)
		},
	}
}

func (p *Program) processTable(all []kernel.Process) error {
	w := tabwriter.NewWriter(p.Stdout, 5, 1, 2, ' ', 0)
	fmt.Fprintln(w, "UID\tPID\tPPID\tSTARTED\tTIME\tRSS\tCOMMAND")
	for _, q := range all {
		fmt.Fprintf(w, "%d\t%d\t%d\t%s\t%s\t%d\t%s\n", q.Uid, q.Pid, q.PPid, q.Start.Format("2006-01-02T15:04:05"), cpuTime(q.Runtime), q.RSS>>10, q.Comm)
	}
	return w.Flush()
}

// cpuTime writes a time as ps(1) does: minutes, seconds and hundredths.
func cpuTime(d time.Duration) string {
	h := d.Round(10*time.Millisecond) / (10 * time.Millisecond)
	return fmt.Sprintf("%d:%02d.%02d", h/6000, h/100%60, h%100)
}

// hostPs runs ps(1) with the caller's options, which may ask for anything it can
// show, and prints the lines of the processes. They go in as well, because ps
// shows only those of one terminal by itself.
func (p *Program) hostPs(ctx context.Context, pids []int, options []string) error {
	list := make([]string, 0, len(pids))
	for _, pid := range pids {
		list = append(list, strconv.Itoa(pid))
	}
	// One argument may hold several, as go-runc passes them.
	args := strings.Fields(strings.Join(options, " "))
	if len(list) > 0 {
		args = append(args, "-p", strings.Join(list, ","))
	}
	out, err := exec.CommandContext(ctx, "ps", args...).Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) && len(bytes.TrimSpace(out)) == 0 {
		return fmt.Errorf("ps %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(failed.Stderr))
	} else if err != nil && failed == nil {
		return err
	}
	lines, err := selectLines(string(out), pids)
	if err != nil {
		return err
	}
	_, err = p.Stdout.WriteString(lines)
	return err
}

// selectLines returns the title line of ps(1) and the lines of the processes.
func selectLines(out string, pids []int) (string, error) {
	var b strings.Builder
	column := -1
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if column < 0 {
			if column = slices.Index(fields, "PID"); column < 0 {
				return "", errors.New("ps printed no column PID: its options must ask for it")
			}
			b.WriteString(line)
			continue
		}
		if len(fields) <= column {
			continue
		}
		pid, err := strconv.Atoi(fields[column])
		if err != nil {
			return "", fmt.Errorf("ps printed the pid %q", fields[column])
		}
		if slices.Contains(pids, pid) {
			b.WriteString(line)
		}
	}
	return b.String(), nil
}
