package kernel

import (
	"fmt"
	"math"
	"strings"
	"syscall"
)

// DevRule is a rule of devfs(8): what to do to the device nodes whose path
// matches a pattern.
type DevRule struct {
	// Pattern is an fnmatch(3) pattern, FNM_PATHNAME, for paths relative to the
	// mount, without a slash at its start. Empty: the rule is for every node.
	Pattern string
	Unhide  bool
	Hide    bool
	Mode    *uint32 // permission bits to set; nil keeps them
	UID     *int    // owner to set; nil keeps it
	GID     *int    // group to set; nil keeps it
	Include int     // number of a ruleset whose rules to apply as well; 0 is none
}

// encodeDevRule encodes a struct devfs_rule with a ruleset and rule number. A rule
// that does nothing, or both hides and unhides, and values out of range wrap
// EINVAL.
func encodeDevRule(ruleset, number int, r DevRule) ([]byte, error) {
	if err := r.check(ruleset, number); err != nil {
		return nil, err
	}
	b := encodeRuleID(ruleset, number)
	if r.Pattern != "" {
		le.PutUint32(b[offRuleCond:], devfsCondPattern)
		copy(b[offRulePattern:][:devfsPatternSize], r.Pattern)
	}
	var acts uint32
	switch {
	case r.Unhide:
		acts |= devfsActBacts
		le.PutUint32(b[offRuleBacts:], devfsUnhide)
	case r.Hide:
		acts |= devfsActBacts
		le.PutUint32(b[offRuleBacts:], devfsHide)
	}
	if r.UID != nil {
		acts |= devfsActUID
		le.PutUint32(b[offRuleUID:], uint32(*r.UID))
	}
	if r.GID != nil {
		acts |= devfsActGID
		le.PutUint32(b[offRuleGID:], uint32(*r.GID))
	}
	if r.Mode != nil {
		acts |= devfsActMode
		le.PutUint16(b[offRuleMode:], uint16(*r.Mode))
	}
	if r.Include != 0 {
		acts |= devfsActInclude
		le.PutUint16(b[offRuleIncset:], uint16(r.Include))
	}
	le.PutUint32(b[offRuleActs:], acts)
	return b, nil
}

// encodeRuleID encodes a struct devfs_rule of which only the id counts.
func encodeRuleID(ruleset, number int) []byte {
	b := make([]byte, devfsRuleSize)
	le.PutUint32(b[offRuleMagic:], devfsMagic)
	le.PutUint32(b[offRuleID:], ruleID(ruleset, number))
	return b
}

// ruleID is a devfs_rid: mkrid, sys/fs/devfs/devfs.h:59.
func ruleID(ruleset, number int) uint32 { return uint32(ruleset)<<16 | uint32(number)&0xffff }

func (r DevRule) check(ruleset, number int) error {
	inRange := func(v int, limit int64) bool { return v >= 0 && int64(v) <= limit }
	switch {
	case !inRange(ruleset, devfsMaxRuleset), !inRange(number, devfsMaxRuleset), !inRange(r.Include, devfsMaxRuleset):
		return fmt.Errorf("number of a devfs ruleset or rule out of range: %w", syscall.EINVAL)
	case len(r.Pattern) >= devfsPatternSize, strings.IndexByte(r.Pattern, 0) >= 0:
		return fmt.Errorf("devfs pattern %q: %w", r.Pattern, syscall.EINVAL)
	case r.Hide && r.Unhide:
		return fmt.Errorf("devfs rule for %q hides and unhides: %w", r.Pattern, syscall.EINVAL)
	case r.UID != nil && !inRange(*r.UID, math.MaxUint32), r.GID != nil && !inRange(*r.GID, math.MaxUint32):
		return fmt.Errorf("owner in devfs rule for %q out of range: %w", r.Pattern, syscall.EINVAL)
	case r.Mode != nil && *r.Mode > 0o7777:
		return fmt.Errorf("mode %#o in devfs rule for %q: %w", *r.Mode, r.Pattern, syscall.EINVAL)
	case !r.Hide && !r.Unhide && r.UID == nil && r.GID == nil && r.Mode == nil && r.Include == 0:
		return fmt.Errorf("devfs rule for %q does nothing: %w", r.Pattern, syscall.EINVAL)
	}
	return nil
}

// decodeDevRule decodes a struct devfs_rule, as DEVFSIO_RGETNEXT fills it.
func decodeDevRule(b []byte) (ruleset, number int, r DevRule, err error) {
	if len(b) != devfsRuleSize {
		return 0, 0, DevRule{}, fmt.Errorf("devfs rule of %d bytes: %w", len(b), ErrLayout)
	}
	if m := le.Uint32(b[offRuleMagic:]); m != devfsMagic {
		return 0, 0, DevRule{}, fmt.Errorf("devfs rule with magic %#x: %w", m, ErrLayout)
	}
	id, acts := le.Uint32(b[offRuleID:]), le.Uint32(b[offRuleActs:])
	if le.Uint32(b[offRuleCond:])&devfsCondPattern != 0 {
		r.Pattern = DecodeString(b[offRulePattern:][:devfsPatternSize])
	}
	if acts&devfsActBacts != 0 {
		bacts := le.Uint32(b[offRuleBacts:])
		r.Hide, r.Unhide = bacts&devfsHide != 0, bacts&devfsUnhide != 0
	}
	if acts&devfsActUID != 0 {
		r.UID = new(int(le.Uint32(b[offRuleUID:])))
	}
	if acts&devfsActGID != 0 {
		r.GID = new(int(le.Uint32(b[offRuleGID:])))
	}
	if acts&devfsActMode != 0 {
		r.Mode = new(uint32(le.Uint16(b[offRuleMode:])))
	}
	if acts&devfsActInclude != 0 {
		r.Include = int(le.Uint16(b[offRuleIncset:]))
	}
	return int(id >> 16), int(id & 0xffff), r, nil
}

// checkRuleset refuses ruleset 0, which the kernel takes for the mount's own.
func checkRuleset(ruleset int) error {
	if ruleset < 1 || ruleset > devfsMaxRuleset {
		return fmt.Errorf("devfs ruleset %d is not within 1-%d: %w", ruleset, devfsMaxRuleset, syscall.EINVAL)
	}
	return nil
}
