package plan

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"

	"jailshim/jailctl/kernel"
)

// flagOptions become bits of the mount's flags: tmpfs and devfs refuse most of
// them as names.
var flagOptions = map[string]struct {
	flag int
	on   bool
}{
	"ro":          {kernel.MountReadOnly, true},
	"rdonly":      {kernel.MountReadOnly, true},
	"rw":          {kernel.MountReadOnly, false},
	"noro":        {kernel.MountReadOnly, false},
	"nosuid":      {kernel.MountNoSUID, true},
	"suid":        {kernel.MountNoSUID, false},
	"noexec":      {kernel.MountNoExec, true},
	"exec":        {kernel.MountNoExec, false},
	"noatime":     {kernel.MountNoATime, true},
	"atime":       {kernel.MountNoATime, false},
	"sync":        {kernel.MountSynchronous, true},
	"nosync":      {kernel.MountSynchronous, false},
	"async":       {kernel.MountAsync, true},
	"noasync":     {kernel.MountAsync, false},
	"nosymfollow": {kernel.MountNoSymFollow, true},
	"symfollow":   {kernel.MountNoSymFollow, false},
	"union":       {kernel.MountUnion, true},
	"nounion":     {kernel.MountUnion, false},
}

// ownOptions are the options of the file systems that every container has, and
// whether they take a value. Most of these file systems pass over unknown
// options in silence, so they are refused here; other file systems are left to
// the kernel.
var ownOptions = map[string]map[string]bool{
	"nullfs":    {"cache": false, "nocache": false, "unixbypass": false, "nounixbypass": false},
	"tmpfs":     {"size": true, "maxfilesize": true, "easize": true, "inodes": true, "uid": true, "gid": true, "mode": true, "nonc": false, "nomtime": false, "pgread": false},
	"devfs":     {"ruleset": true},
	"fdescfs":   {"linrdlnk": false, "rdlnk": false, "nodup": false},
	"procfs":    {},
	"linprocfs": {},
	"linsysfs":  {},
}

// anyOptions are handled by the kernel before the file system sees them.
var anyOptions = map[string]bool{"emptydir": true, "nocover": true}

// mountOptions is what the options of a mount come to.
type mountOptions struct {
	options []kernel.MountOption
	flags   int
	ruleset int // 0: none given
	copyUp  bool
	rules   []Device
}

// parseOptions translates the options of a mount. Of two that contradict each
// other the later one counts. Errors name the option.
func parseOptions(fstype string, options []string) (mountOptions, error) {
	var o mountOptions
	for _, option := range options {
		if err := o.add(fstype, option); err != nil {
			return mountOptions{}, err
		}
	}
	return o, nil
}

func (o *mountOptions) add(fstype, option string) error {
	name, text, hasValue := strings.Cut(option, "=")
	if why, ok := refusedOptions[name]; ok {
		return fmt.Errorf("%s can't be done: %s", name, why)
	}
	if strings.ContainsRune(option, 0) {
		return fmt.Errorf("%q holds a NUL byte", option)
	}
	if !hasValue {
		if f, ok := flagOptions[name]; ok {
			o.flags &^= f.flag
			if f.on {
				o.flags |= f.flag
			}
			return nil
		}
		if ignoredOptions[name] {
			return nil
		}
		if fstype == "tmpfs" && name == "tmpcopyup" {
			o.copyUp = true
			return nil
		}
	}
	if name == "" {
		return fmt.Errorf("%q has no name", option)
	}
	if fstype == "tmpfs" && name == "nr_inodes" {
		name = "inodes"
	}
	if fstype == "devfs" && name == "rule" {
		d, err := parseDevRule(text)
		if err == nil {
			o.rules = append(o.rules, d)
		}
		return err
	}
	if err := checkName(fstype, name, option, hasValue); err != nil {
		return err
	}
	if own := ownOptions[fstype]; own[name] {
		var err error
		if text, err = o.ownValue(name, text); err != nil {
			return fmt.Errorf("%q: %w", option, err)
		}
	}
	o.set(kernel.MountOption{Name: name, Value: text, HasValue: hasValue})
	return nil
}

// checkName refuses options that the file system doesn't know, or not like this.
func checkName(fstype, name, option string, hasValue bool) error {
	own, known := ownOptions[fstype]
	if !known || anyOptions[name] && !hasValue {
		return nil
	}
	wants, ok := own[name]
	switch {
	case !ok:
		names := make([]string, 0, len(own))
		for n := range own {
			names = append(names, n)
		}
		sort.Strings(names)
		return fmt.Errorf("%s has no option %q; its own are: %s", fstype, option, strings.Join(names, " "))
	case wants && !hasValue:
		return fmt.Errorf("%q needs a value", option)
	case !wants && hasValue:
		return fmt.Errorf("%q takes no value", option)
	}
	return nil
}

// ownValue checks the value of an option from ownOptions and writes it as the
// kernel wants it.
func (o *mountOptions) ownValue(name, text string) (string, error) {
	switch name {
	case "mode":
		n, err := strconv.ParseUint(text, 8, 32)
		if err != nil || n > 0o7777 {
			return "", fmt.Errorf("an octal number up to 7777 is allowed")
		}
		return strconv.FormatUint(n, 8), nil
	case "uid", "gid":
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil || n == math.MaxUint32 {
			return "", fmt.Errorf("a number is allowed")
		}
		return strconv.FormatUint(n, 10), nil
	case "ruleset":
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 65535 {
			return "", fmt.Errorf("a number from 1 to 65535 is allowed (0 would show every device)")
		}
		o.ruleset = n
		return strconv.Itoa(n), nil
	}
	n, err := parseSize(text)
	if err != nil {
		return "", err
	}
	return strconv.FormatUint(n, 10), nil
}

// set replaces an option of the same name: of two the kernel takes the last.
func (o *mountOptions) set(option kernel.MountOption) {
	o.options = slices.DeleteFunc(o.options, func(old kernel.MountOption) bool { return old.Name == option.Name })
	o.options = append(o.options, option)
}

// parseSize reads a number of bytes with a suffix k, m, g or t, as tmpfs takes
// it. The kernel reads anything else as "no limit", so it is checked here.
func parseSize(text string) (uint64, error) {
	if strings.HasSuffix(text, "%") {
		return 0, fmt.Errorf("a part of the memory can't be given, only a number of bytes with a suffix k, m, g or t")
	}
	digits, shift := text, 0
	if text != "" {
		if i := strings.IndexByte("kmgt", text[len(text)-1]|0x20); i >= 0 {
			digits, shift = text[:len(text)-1], 10*(i+1)
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || digits[0] == '+' || n > math.MaxInt64>>shift {
		return 0, fmt.Errorf("a number of bytes with a suffix k, m, g or t is allowed")
	}
	return n << shift, nil
}
