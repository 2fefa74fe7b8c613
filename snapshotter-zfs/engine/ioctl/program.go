package ioctl

import (
	"strings"

	"github.com/containerd/errdefs"

	"jailshim/snapshotter-zfs/engine"
	"jailshim/snapshotter-zfs/nvlist"
)

// The programs. Each gets one table as its argument and gives one back. Errors in it
// are errnos.

// probeProgram tells what programs can do. It changes nothing.
const probeProgram = `return {clone = zfs.sync.clone ~= nil and zfs.sync.set_prop ~= nil}`

// destroyProgram destroys names, in their order, and gives the errnos of those that
// could not be, by their number.
const destroyProgram = `
local args = ...
local failed = {}
for i, name in ipairs(args.names) do
	local err = args.enoent
	if zfs.exists(name) then
		if args.deferred and string.find(name, "@") then
			err = zfs.sync.destroy{name, defer = true}
		else
			err = zfs.sync.destroy(name)
		end
	end
	if err ~= 0 then
		failed[i] = err
	end
end
return failed
`

// cloneProgram makes clones with user properties, each or nothing of it, and gives why
// those failed that did, by their number.
const cloneProgram = `
local args = ...
local failed = {}
for i, name in ipairs(args.names) do
	local err = zfs.sync.clone(args.origins[i], name)
	local at = nil
	if err == 0 then
		for prop, value in pairs(args.props[tostring(i)]) do
			err = zfs.sync.set_prop(name, prop, value)
			if err ~= 0 then
				at = prop
				zfs.sync.destroy(name)
				break
			end
		end
	end
	if err ~= 0 then
		failed[i] = {err = err, prop = at}
	end
end
return failed
`

// programMemory is what a program may use, and its reply. It is enough for the names
// of some thousand objects, or for many properties.
const programMemory = 4 << 20

// program is a channel program to run.
type program struct {
	text string
	args nvlist.List
	sync bool // it changes something: one txg
}

// programOverhead is what a reply has beside the memory of the program.
const programOverhead = 4 << 10

// program runs a program in the pool of object, and returns its table.
func (e *Engine) program(op, object string, p program) (nvlist.List, error) {
	args := p.args
	if args == nil {
		args = nvlist.List{}
	}
	rep, errno, err := exchange(e.t, request{
		number: iocChannelProgram,
		name:   engine.Pool(object),
		src: nvlist.List{
			{Name: "program", Value: p.text},
			{Name: "arg", Value: args},
			{Name: "sync", Value: p.sync},
			{Name: "instrlimit", Value: uint64(programSteps)},
			{Name: "memlimit", Value: uint64(programMemory)},
		},
		dstSize: programMemory + programOverhead,
		fixed:   true,
	})
	switch {
	case err != nil:
		return nil, &engine.Error{Op: op, Object: object, Errno: errno, Detail: err.Error(), Class: errdefs.ErrInternal}
	case errno != 0:
		failed := e.failed(op, object, errno, "")
		// A program of ours that fails as such is a mistake of ours, or of the disks.
		if text, ok := nvlist.Value[string](rep.dst, "error"); ok {
			failed.Detail, failed.Class = programError(text), errdefs.ErrInternal
		}
		return nil, failed
	}
	result, ok := nvlist.Value[nvlist.List](rep.dst, "return")
	if !ok {
		return nil, &engine.Error{Op: op, Object: object, Detail: "a channel program gave no table", Class: errdefs.ErrInternal}
	}
	return result, nil
}

// programError is the first line of what Lua says.
func programError(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return "channel program: " + line
}
