package pf

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
)

const pfctl = "/sbin/pfctl"

// Load replaces the rules of an anchor, by running pfctl(8). The rules take effect
// only if the main ruleset has hooks for the anchor.
func Load(ctx context.Context, anchor, rules string) error {
	_, err := run(ctx, rules, "-q", "-a", anchor, "-f", "-")
	return err
}

// MainRules returns the translation and filter rules of the main ruleset, by running
// pfctl(8).
func MainRules(ctx context.Context) (string, error) {
	nat, err := run(ctx, "", "-q", "-s", "nat")
	if err != nil {
		return "", err
	}
	filter, err := run(ctx, "", "-q", "-s", "rules")
	return nat + filter, err
}

func run(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, pfctl, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", pfctl, strings.Join(args, " "), err, strings.Join(strings.Fields(errs.String()), " "))
	}
	return out.String(), nil
}
