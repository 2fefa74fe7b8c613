package netsetup

import (
	"jailshim/jailctl/kernel"
	"jailshim/netsetup/link"
)

// system is the machine's kernel. All methods are safe for concurrent use.
type system interface {
	// Run makes calls in the host's network stack; see [link.Run].
	Run(calls []link.Call) error
	// List returns the host's interfaces.
	List() ([]link.Interface, error)
	// Sysctl reads, SetSysctl writes a number.
	Sysctl(name string) (int, error)
	SetSysctl(name string, value int) error
	// LoadModule loads a module that is not there.
	LoadModule(name string) error
}

// running is the running kernel.
type running struct{}

var _ system = running{}

func (running) Run(calls []link.Call) error        { return link.Run(calls) }
func (running) List() ([]link.Interface, error)    { return link.List() }
func (running) Sysctl(name string) (int, error)    { return link.Sysctl(name) }
func (running) SetSysctl(name string, v int) error { return link.SetSysctl(name, v) }
func (running) LoadModule(name string) error       { return kernel.LoadModule(name) }
