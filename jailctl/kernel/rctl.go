package kernel

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"syscall"
)

// Rule is a resource rule of a jail, as in rctl(8).
type Rule struct {
	Jail     string // name; full, with the names of its parents
	Resource string // memoryuse, maxproc, …
	Action   string // deny, sigkill, devctl, …
	Amount   uint64 // in the unit of the resource
	Per      string // whose usage is counted: process, user, loginclass; empty is the jail's
}

// String returns the rule as the rctl calls take it:
// jail:NAME:RESOURCE:ACTION=AMOUNT[/PER].
func (r Rule) String() string {
	s := fmt.Sprintf("jail:%s:%s:%s=%d", r.Jail, r.Resource, r.Action, r.Amount)
	if r.Per != "" {
		s += "/" + r.Per
	}
	return s
}

// check finds what would make the kernel read another rule than the one meant.
func (r Rule) check() error {
	if _, err := ruleFilter(r.Jail, r.Resource, r.Action); err != nil {
		return err
	}
	if r.Resource == "" || r.Action == "" || strings.ContainsAny(r.Per, ":=/,\x00") {
		return fmt.Errorf("resource rule %q: %w", r.String(), syscall.EINVAL)
	}
	if r.Amount > math.MaxInt64 {
		return fmt.Errorf("amount of resource rule %q: %w", r.String(), syscall.ERANGE)
	}
	return nil
}

// ruleFilter returns the filter for rules of a jail: all of them, or those of a
// resource, or those of an action of it. An empty jail would match every jail's
// rules, and a name with a colon those of another, so both wrap EINVAL.
func ruleFilter(jail, resource, action string) (string, error) {
	if jail == "" || strings.ContainsAny(jail, ":\x00") || strings.ContainsAny(resource+action, ":=/,\x00") {
		return "", fmt.Errorf("resource rules of jail %q (%q, %q): %w", jail, resource, action, syscall.EINVAL)
	}
	filter := "jail:" + jail
	if resource != "" {
		filter += ":" + resource
		if action != "" {
			filter += ":" + action
		}
	}
	return filter, nil
}

// ParseRules parses rules as rctl_get_rules(2) returns them: separated by commas,
// none is an empty text. A rule that is not a jail's, or not complete, wraps
// [ErrLayout].
func ParseRules(s string) ([]Rule, error) {
	if s == "" {
		return nil, nil
	}
	var rules []Rule
	for text := range strings.SplitSeq(s, ",") {
		r, ok := parseRule(text)
		if !ok {
			return nil, fmt.Errorf("resource rule %q: %w", text, ErrLayout)
		}
		rules = append(rules, r)
	}
	return rules, nil
}

func parseRule(text string) (Rule, bool) {
	fields := strings.Split(text, ":")
	if len(fields) != 4 || fields[0] != "jail" {
		return Rule{}, false
	}
	action, amount, ok := strings.Cut(fields[3], "=")
	if !ok {
		return Rule{}, false
	}
	amount, per, hasPer := strings.Cut(amount, "/")
	n, err := strconv.ParseUint(amount, 10, 63)
	if err != nil || hasPer && per == "" {
		return Rule{}, false
	}
	r := Rule{Jail: fields[1], Resource: fields[2], Action: action, Amount: n, Per: per}
	return r, r.check() == nil
}

// DecodeUsage parses what rctl_get_racct(2) returns: RESOURCE=AMOUNT, separated by
// commas. It ends at the first NUL byte. A text of another form wraps [ErrLayout].
func DecodeUsage(s string) (map[string]uint64, error) {
	s = DecodeString([]byte(s))
	usage := make(map[string]uint64, 32)
	for text := range strings.SplitSeq(s, ",") {
		resource, amount, ok := strings.Cut(text, "=")
		n, err := strconv.ParseUint(amount, 10, 63)
		if !ok || err != nil || resource == "" {
			return nil, fmt.Errorf("resource usage %q: %w", text, ErrLayout)
		}
		usage[resource] = n
	}
	return usage, nil
}
