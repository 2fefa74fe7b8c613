//go:build !freebsd

package ipfw

// Conn is a way to the host's ipfw; there is none.
type Conn struct{}

// Open returns [ErrUnsupported].
func Open() (*Conn, error) { return nil, ErrUnsupported }

// Close returns [ErrUnsupported].
func (c *Conn) Close() error { return ErrUnsupported }

// AddRules returns [ErrUnsupported].
func (c *Conn) AddRules([]Rule) error { return ErrUnsupported }

// DeleteRules returns [ErrUnsupported].
func (c *Conn) DeleteRules(uint8, uint32, uint32) error { return ErrUnsupported }

// DisableSet returns [ErrUnsupported].
func (c *Conn) DisableSet(uint8) error { return ErrUnsupported }

// EnableSet returns [ErrUnsupported].
func (c *Conn) EnableSet(uint8) error { return ErrUnsupported }

// SwapSets returns [ErrUnsupported].
func (c *Conn) SwapSets(uint8, uint8) error { return ErrUnsupported }

// Rules returns [ErrUnsupported].
func (c *Conn) Rules(uint32, uint32) ([]Rule, error) { return nil, ErrUnsupported }

// CreateTable returns [ErrUnsupported].
func (c *Conn) CreateTable(string, FlowKey) (created bool, err error) { return false, ErrUnsupported }

// DestroyTable returns [ErrUnsupported].
func (c *Conn) DestroyTable(string) error { return ErrUnsupported }

// AddEntries returns [ErrUnsupported].
func (c *Conn) AddEntries(string, FlowKey, []Entry) error { return ErrUnsupported }

// DeleteEntries returns [ErrUnsupported].
func (c *Conn) DeleteEntries(string, FlowKey, []Entry) error { return ErrUnsupported }

// SetNAT returns [ErrUnsupported].
func (c *Conn) SetNAT(Instance) error { return ErrUnsupported }

// DeleteNAT returns [ErrUnsupported].
func (c *Conn) DeleteNAT(uint16) error { return ErrUnsupported }

// NATs returns [ErrUnsupported].
func (c *Conn) NATs() ([]uint16, error) { return nil, ErrUnsupported }
