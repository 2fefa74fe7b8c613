package cni

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/containerd/errdefs"
)

// Codes of errors, specification 1.1.0, section 5; those from 100 on are the plugin's.
const (
	codeVersion     = 1  // incompatible CNI version
	codeNoContainer = 3  // the container does not exist
	codeEnvironment = 4  // a variable is missing or wrong
	codeIO          = 5  // the request can't be read
	codeDecode      = 6  // it is no JSON of the right form
	codeConfig      = 7  // the network's configuration is wrong
	codeTryAgain    = 11 // a passing condition
	codeUnavailable = 50 // STATUS: ADD would fail
	codeExhausted   = 100
	codeTaken       = 101
	codeHost        = 102 // the machine lacks something; the text says what to do
	codeLost        = 103 // CHECK: something of what ADD made is not there
	codeInternal    = 999
)

// codeError is an error with its code.
type codeError struct {
	code int
	err  error
}

func (e *codeError) Error() string { return e.err.Error() }

func (e *codeError) Unwrap() error { return e.err }

func failed(code int, format string, args ...any) error {
	return &codeError{code: code, err: fmt.Errorf(format, args...)}
}

// codeOf returns the code of an error: its own, or that of its class.
func codeOf(err error) int {
	var e *codeError
	switch {
	case errors.As(err, &e):
		return e.code
	case errdefs.IsInvalidArgument(err), errdefs.IsNotFound(err), errdefs.IsNotImplemented(err):
		return codeConfig
	case errdefs.IsResourceExhausted(err):
		return codeExhausted
	case errdefs.IsAlreadyExists(err):
		return codeTaken
	case errdefs.IsFailedPrecondition(err):
		return codeHost
	case errdefs.IsUnavailable(err), errors.Is(err, context.DeadlineExceeded):
		return codeTryAgain
	}
	return codeInternal
}

// encodeError is what the plugin prints in place of a result.
func encodeError(version string, err error) []byte {
	b, _ := json.Marshal(struct { // of strings and a number: it can't fail
		CNIVersion string `json:"cniVersion"`
		Code       int    `json:"code"`
		Msg        string `json:"msg"`
	}{version, codeOf(err), err.Error()})
	return append(b, '\n')
}
