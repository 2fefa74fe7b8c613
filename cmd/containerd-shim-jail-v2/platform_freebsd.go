package main

import (
	"path/filepath"
	"sync"

	"jailshim/driver"
	"jailshim/jailctl"
	"jailshim/options"
)

// jailFolder, in the state folder, holds the state of jails, by namespace.
const jailFolder = "jails"

// newPlatform returns what runs containers as jails, in this process. There is
// one runtime for a namespace, which knows its containers.
func newPlatform() func(r *runtimes, namespace string, o options.Options) (driver.Runtime, error) {
	var mu sync.Mutex // guards made
	made := make(map[string]*jailctl.Runtime)
	return func(r *runtimes, namespace string, _ options.Options) (driver.Runtime, error) {
		mu.Lock()
		defer mu.Unlock()
		if rt, ok := made[namespace]; ok {
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
		made[namespace] = rt
		return rt, nil
	}
}
