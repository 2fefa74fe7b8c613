//go:build !freebsd

package kernel

// Fork returns what is wrong with the script, or else [ErrUnsupported].
func (s *Script) Fork() (int, error) {
	defer s.done()
	s.compile()
	if s.err != nil {
		return 0, s.err
	}
	return 0, ErrUnsupported
}
