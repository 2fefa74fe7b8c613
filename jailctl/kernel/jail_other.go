//go:build !freebsd

package kernel

// CreateJail returns [ErrUnsupported].
func CreateJail([]Param) (*Jail, error) { return nil, ErrUnsupported }

// OpenJail returns [ErrUnsupported].
func OpenJail(string) (*Jail, error) { return nil, ErrUnsupported }

// OpenJailID returns [ErrUnsupported].
func OpenJailID(int) (*Jail, error) { return nil, ErrUnsupported }

// Update returns [ErrUnsupported].
func (*Jail) Update([]Param) error { return ErrUnsupported }

// Get returns [ErrUnsupported].
func (*Jail) Get(...string) (map[string][]byte, error) { return nil, ErrUnsupported }

// Remove returns [ErrUnsupported].
func (*Jail) Remove() error { return ErrUnsupported }

// Attach returns [ErrUnsupported].
func (*Jail) Attach() error { return ErrUnsupported }

// StateOfJail returns [ErrUnsupported].
func StateOfJail(int) (JailState, error) { return 0, ErrUnsupported }

// Jails returns [ErrUnsupported].
func Jails(bool) ([]JailInfo, error) { return nil, ErrUnsupported }
