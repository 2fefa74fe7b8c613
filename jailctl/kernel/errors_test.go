package kernel

import (
	"errors"
	"syscall"
	"testing"
)

func TestError_TextAndErrno(t *testing.T) {
	for _, c := range []struct {
		err  Error
		want string
	}{
		{
			Error{Op: "jail_set", Object: `jail "x"`, Errno: syscall.EINVAL, Detail: "unknown parameter: nosuch.param"},
			`jail_set jail "x": unknown parameter: nosuch.param: invalid argument`,
		},
		{Error{Op: "jail_set", Object: `jail "x"`, Errno: syscall.EEXIST}, `jail_set jail "x": file exists`},
		{Error{Op: "getfsstat", Errno: syscall.EPERM}, `getfsstat: operation not permitted`},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("Error() = %q, want %q", got, c.want)
		}
		if !errors.Is(&c.err, c.err.Errno) {
			t.Errorf("%v does not wrap %v", &c.err, c.err.Errno)
		}
	}
	if got, want := newError("unmount", `"/j"`, syscall.EBUSY), (Error{Op: "unmount", Object: `"/j"`, Errno: syscall.EBUSY}); *got != want {
		t.Errorf("newError = %+v, want %+v", *got, want)
	}
	if !errors.Is(ErrUnsupported, errors.ErrUnsupported) {
		t.Error("ErrUnsupported does not wrap errors.ErrUnsupported")
	}
}
