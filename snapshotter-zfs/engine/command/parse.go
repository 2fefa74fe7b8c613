package command

import (
	"fmt"
	"strconv"
	"strings"

	"jailshim/snapshotter-zfs/engine"
)

// columns are those that parse expects of "zfs get"; the value is last, as it can
// hold anything.
const columns = "name,property,source,value"

// Types of datasets.
const (
	typeFilesystem = "filesystem"
	typeSnapshot   = "snapshot"
	typeVolume     = "volume"
)

// value is a property of a dataset.
type value struct {
	source, text string
}

// object is a dataset as "zfs get" tells it.
type object struct {
	name  string
	props map[string]value
}

// parse reads what "zfs get -Hp -o columns" prints, in its order.
func parse(text string) ([]object, error) {
	var objects []object
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		if line == "" && text == "" {
			break
		}
		fields := strings.SplitN(line, "\t", 4)
		if len(fields) != 4 || fields[0] == "" || fields[1] == "" {
			return nil, fmt.Errorf("not a line of \"zfs get\": %q", line)
		}
		if len(objects) == 0 || objects[len(objects)-1].name != fields[0] {
			objects = append(objects, object{name: fields[0], props: map[string]value{}})
		}
		objects[len(objects)-1].props[fields[1]] = value{source: fields[2], text: fields[3]}
	}
	return objects, nil
}

// dataset makes a Dataset of what is told of it.
func (o object) dataset() (engine.Dataset, error) {
	d := engine.Dataset{Name: o.name, Snapshot: o.props["type"].text == typeSnapshot, Props: o.local()}
	for _, n := range []struct {
		to       *uint64
		name     string
		required bool
	}{
		{&d.GUID, "guid", true},
		{&d.CreateTXG, "createtxg", true},
		{&d.Used, "used", true},
		{&d.Referenced, "referenced", true},
		{&d.Available, "available", !d.Snapshot},
		{&d.Written, "written", false},
	} {
		text := o.known(n.name)
		if text == "" && !n.required {
			continue
		}
		var err error
		if *n.to, err = strconv.ParseUint(text, 10, 64); err != nil {
			return engine.Dataset{}, fmt.Errorf("%q: property %q: %w", o.name, n.name, err)
		}
	}
	d.DeferDestroy = o.known("defer_destroy") == "on"
	d.Origin = o.known("origin")
	if clones := o.known("clones"); clones != "" {
		d.Clones = strings.Count(clones, ",") + 1
	}
	if !d.Snapshot {
		d.Mountpoint = o.known("mountpoint")
	}
	return d, nil
}

// known returns the value of a property that has one.
func (o object) known(name string) string {
	if text := o.props[name].text; text != "-" {
		return text
	}
	return ""
}

// local returns the properties with a local value that engines tell.
func (o object) local() map[string]string {
	props := map[string]string{}
	for name, v := range o.props {
		if v.source != "local" {
			continue
		}
		native, ok := engine.NativeProps[name]
		if engine.IsUserProp(name) || ok && (native.Default == "" || v.text != native.Default) {
			props[name] = v.text
		}
	}
	return props
}

// countClones fills in the number of clones of snapshots, from the origins of all
// file systems of the pool.
func countClones(list []engine.Dataset, all []object) {
	clones := map[string]int{}
	for _, o := range all {
		if origin := o.known("origin"); origin != "" {
			clones[origin]++
		}
	}
	for i := range list {
		list[i].Clones = clones[list[i].Name]
	}
}
