package main

import (
	"path/filepath"

	"jailshim/driver"
	"jailshim/jailctl"
	"jailshim/jailctl/stage"
	"jailshim/options"
)

// becomeStage turns a process that was started as a container's first stage into
// that, and does not return then.
func becomeStage(args []string) {
	if stage.Is(args) {
		stage.Main(args)
	}
}

// jailFolder, in the state folder, holds the state of jails, by namespace.
const jailFolder = "jails"

// platform runs containers when the options name no command: as jails, in this
// process. There is one runtime for a namespace, which knows its containers.
func (r *runtimes) platform(namespace string, _ options.Options) (driver.Runtime, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rt, ok := r.native[namespace]; ok {
		return rt, nil
	}
	c := jailctl.Config{Root: filepath.Join(r.state, jailFolder, namespace), Namespace: namespace}
	if r.reaper != nil {
		c.Commands = r.reaper
	}
	rt := jailctl.New(c)
	if r.reaper != nil {
		r.reaper.Inspect(rt.Zombie)
	}
	if r.native == nil {
		r.native = make(map[string]driver.Runtime)
	}
	r.native[namespace] = rt
	return rt, nil
}
