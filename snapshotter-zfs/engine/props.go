package engine

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

const (
	// MaxPropName is the longest name of a user property.
	MaxPropName = 255 // ZAP_MAXNAMELEN - 1, sys/contrib/openzfs/include/sys/fs/zfs.h:84
	// MaxPropValue is the longest value of one.
	MaxPropValue = 8191 // ZAP_MAXVALUELEN - 1, sys/contrib/openzfs/include/sys/fs/zfs.h:86

	minRecord = 1 << 9  // SPA_MINBLOCKSIZE, sys/contrib/openzfs/include/sys/fs/zfs.h:1960
	maxRecord = 1 << 24 // SPA_MAXBLOCKSIZE, sys/contrib/openzfs/include/sys/fs/zfs.h:1962
)

// NativeProp is a property of ZFS's own, and how its values are written.
type NativeProp struct {
	// Choices are the words that it takes, with ZFS's numbers for them. Without
	// choices it takes a number of bytes or, if Path, a path.
	Choices map[string]uint64
	Path    bool
	// Default is the value of one that is not inherited. Such a property is not told
	// if it has its default, and to remove it is to set that.
	Default string
	// Alone says that ZFS sets it in a txg of its own.
	Alone bool
}

// NativeProps are the properties of ZFS's own that this package's methods take and
// tell. All others are refused.
var NativeProps = map[string]NativeProp{
	"quota":              {Default: "0", Alone: true},
	"refquota":           {Default: "0", Alone: true},
	"reservation":        {Default: "0", Alone: true},
	"refreservation":     {Default: "0", Alone: true},
	"recordsize":         {},
	"mountpoint":         {Path: true},
	"atime":              {Choices: onOff},
	"canmount":           {Choices: canmountChoices, Default: "on"},
	"compression":        {Choices: compressionChoices()},
	"exec":               {Choices: onOff},
	"logbias":            {Choices: logbiasChoices},
	"primarycache":       {Choices: cacheChoices},
	"readonly":           {Choices: onOff},
	"redundant_metadata": {Choices: redundancyChoices},
	"setuid":             {Choices: onOff},
	"snapdir":            {Choices: snapdirChoices},
	"sync":               {Choices: syncChoices},
	"xattr":              {Choices: xattrChoices},
}

// NativePropNames are the names of [NativeProps], in order.
func NativePropNames() []string { return slices.Sorted(maps.Keys(NativeProps)) }

// IsUserProp tells a user property's name from a native one's.
func IsUserProp(name string) bool { return strings.Contains(name, ":") }

// OnlyUserProps reports whether all are user properties.
func OnlyUserProps(props map[string]string) bool {
	for name := range props {
		if !IsUserProp(name) {
			return false
		}
	}
	return true
}

// CheckProps refuses properties that cannot be set: unknown ones, values that they do
// not take, and native ones of a snapshot. Empty values are refused too, unless they
// are to remove the property, as in SetProps.
func CheckProps(op, object string, props map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(props)) {
		text := badProp(name, props[name], op == OpSetProps)
		if text == "" && !IsUserProp(name) && (op == OpSnapshot || IsSnapshot(object)) {
			text = "snapshots take only user properties"
		}
		if text != "" {
			return NewError(op, object, syscall.EINVAL, fmt.Sprintf("property %q: %s", name, text))
		}
	}
	return nil
}

// Number returns the number that ZFS has for a value: bytes, or that of a choice.
func (p NativeProp) Number(value string) (uint64, error) {
	if n, ok := p.Choices[value]; ok {
		return n, nil
	}
	if len(p.Choices) > 0 || p.Path {
		return 0, fmt.Errorf("%q is no number", value)
	}
	return strconv.ParseUint(value, 10, 64)
}

// Text returns the value that has a number; of several words for one, the first by
// alphabet, with "gzip" for "gzip-6". A number without a word is written as it is.
func (p NativeProp) Text(number uint64) string {
	for _, word := range slices.Sorted(maps.Keys(p.Choices)) {
		if p.Choices[word] == number {
			return word
		}
	}
	return strconv.FormatUint(number, 10)
}

func badProp(name, value string, removes bool) string {
	if value == "" && !removes {
		return "the value is empty"
	}
	if strings.ContainsRune(value, 0) {
		return "the value has a zero byte"
	}
	if IsUserProp(name) {
		return badUserProp(name, value)
	}
	p, ok := NativeProps[name]
	switch {
	case !ok:
		return "not one that can be set here; user properties have a \":\" in their name"
	case value == "":
		return ""
	case p.Path:
		if value != "none" && value != "legacy" && !strings.HasPrefix(value, "/") {
			return fmt.Sprintf("%q is neither an absolute path nor \"none\" or \"legacy\"", value)
		}
		return ""
	}
	if n, err := p.Number(value); err == nil {
		if name == "recordsize" && (n&(n-1) != 0 || n < minRecord || n > maxRecord) {
			return fmt.Sprintf("%q is not a power of 2 from %d to %d", value, minRecord, maxRecord)
		}
		return ""
	}
	if len(p.Choices) > 0 {
		return fmt.Sprintf("%q is none of %s", value, strings.Join(slices.Sorted(maps.Keys(p.Choices)), ", "))
	}
	return fmt.Sprintf("%q is not a number of bytes, such as 1073741824", value)
}

func badUserProp(name, value string) string {
	bad := func(c rune) bool {
		return c == ' ' || c >= 'A' && c <= 'Z' || !validChar(c)
	}
	switch {
	case len(name) > MaxPropName:
		return fmt.Sprintf("the name is longer than %d bytes", MaxPropName)
	case strings.ContainsFunc(name, bad):
		return "the name has a character that is none of small letters, digits, \"-_.:\""
	case strings.HasPrefix(name, "-"):
		return "the name begins with \"-\"" // zfs(8) refuses it
	case len(value) > MaxPropValue:
		return fmt.Sprintf("the value is longer than %d bytes", MaxPropValue)
	case strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c == 0x7f }):
		return "the value has a control character" // zfs(8) prints one property a line
	}
	return ""
}
