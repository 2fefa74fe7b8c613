package options

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	runcoptions "github.com/containerd/containerd/api/types/runc/options"
	runtimeoptions "github.com/containerd/containerd/api/types/runtimeoptions/v1"
	"github.com/containerd/errdefs"
	"github.com/pelletier/go-toml/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// maxFile bounds the file that ConfigPath names, in bytes.
const maxFile = 1 << 20

// Options is what a user can set for a task. The zero value is the default of
// the platform. The keys are documented in docs/options.md.
type Options struct {
	// OCIRuntime is an OCI runtime command, a name looked up in PATH or an
	// absolute path, that is to run the containers. Empty: the platform's
	// default.
	OCIRuntime string `toml:"oci_runtime" json:"oci_runtime,omitempty"`
	// OCIRoot is the folder in which the OCI runtime keeps its state; the
	// namespace is appended. Empty: a folder in jailshim's state folder.
	OCIRoot string `toml:"oci_root" json:"oci_root,omitempty"`
	// SystemdCgroup lets the OCI runtime make its cgroups through systemd.
	// Linux only.
	SystemdCgroup bool `toml:"systemd_cgroup" json:"systemd_cgroup,omitempty"`
	// NoPivotRoot makes the OCI runtime use MS_MOVE instead of pivot_root(2).
	// Linux only.
	NoPivotRoot bool `toml:"no_pivot_root" json:"no_pivot_root,omitempty"`
	// NoNewKeyring keeps the session keyring of the shim. Linux only.
	NoNewKeyring bool `toml:"no_new_keyring" json:"no_new_keyring,omitempty"`
}

// Type URLs as containerd and its clients write them. A leading
// "types.containerd.io/" or "type.googleapis.com/" is accepted as well.
const (
	runtimeOptionsURL = "runtimeoptions.v1.Options"
	runcOptionsURL    = "containerd.runc.v1.Options"
)

// Decode returns the options in a, and the names of settings that were
// understood but have no effect here, for the caller to say so once.
//
// Nil and an Any without a type are the defaults. An unknown type, unknown key,
// bad value or unreadable file is an error wrapping errdefs.ErrInvalidArgument
// that names it.
func Decode(a *anypb.Any) (o Options, ignored []string, err error) {
	if a.GetTypeUrl() == "" {
		if len(a.GetValue()) > 0 {
			return Options{}, nil, fmt.Errorf("runtime options: %d bytes without a type: %w", len(a.GetValue()), errdefs.ErrInvalidArgument)
		}
		return Options{}, nil, nil
	}
	switch name := a.TypeUrl[strings.LastIndexByte(a.TypeUrl, '/')+1:]; name {
	case runtimeOptionsURL:
		var m runtimeoptions.Options
		if err := proto.Unmarshal(a.Value, &m); err != nil {
			return Options{}, nil, fmt.Errorf("runtime options: %s: %w: %w", name, errdefs.ErrInvalidArgument, err)
		}
		o, err = fromRuntimeOptions(&m)
	case runcOptionsURL:
		var m runcoptions.Options
		if err := proto.Unmarshal(a.Value, &m); err != nil {
			return Options{}, nil, fmt.Errorf("runtime options: %s: %w: %w", name, errdefs.ErrInvalidArgument, err)
		}
		o, ignored = fromRuncOptions(&m)
	default:
		return Options{}, nil, fmt.Errorf("runtime options: type %q is not known; use %s: %w", a.TypeUrl, runtimeOptionsURL, errdefs.ErrInvalidArgument)
	}
	if err == nil {
		err = o.validate()
	}
	if err != nil {
		return Options{}, nil, err
	}
	return o, ignored, nil
}

func fromRuntimeOptions(m *runtimeoptions.Options) (Options, error) {
	body, source := m.ConfigBody, "config_body"
	if len(body) == 0 && m.ConfigPath != "" {
		source = m.ConfigPath
		var err error
		if body, err = readFile(m.ConfigPath); err != nil {
			return Options{}, fmt.Errorf("runtime options: %w: %w", errdefs.ErrInvalidArgument, err)
		}
	}
	return parseTOML(body, source)
}

// parseTOML decodes TOML strictly. source names the text in errors.
func parseTOML(body []byte, source string) (Options, error) {
	var o Options
	dec := toml.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	err := dec.Decode(&o)
	if err == nil {
		return o, nil
	}
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) {
		keys := make([]string, 0, len(strict.Errors))
		for _, e := range strict.Errors {
			keys = append(keys, strings.Join(e.Key(), "."))
		}
		return Options{}, fmt.Errorf("runtime options: %s: unknown key %q: %w", source, strings.Join(keys, `", "`), errdefs.ErrInvalidArgument)
	}
	var syntax *toml.DecodeError
	if errors.As(err, &syntax) {
		row, column := syntax.Position()
		return Options{}, fmt.Errorf("runtime options: %s:%d:%d: key %q: %w: %w", source, row, column,
			strings.Join(syntax.Key(), "."), errdefs.ErrInvalidArgument, err)
	}
	return Options{}, fmt.Errorf("runtime options: %s: %w: %w", source, errdefs.ErrInvalidArgument, err)
}

// fromRuncOptions takes what the runc shim's own options mean here, so that a
// configuration written for it keeps working.
func fromRuncOptions(m *runcoptions.Options) (o Options, ignored []string) {
	o = Options{
		OCIRuntime:    m.BinaryName,
		OCIRoot:       m.Root,
		SystemdCgroup: m.SystemdCgroup,
		NoPivotRoot:   m.NoPivotRoot,
		NoNewKeyring:  m.NoNewKeyring,
	}
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"shim_cgroup", m.ShimCgroup != ""},
		{"io_uid", m.IoUid != 0},
		{"io_gid", m.IoGid != 0},
		{"criu_image_path", m.CriuImagePath != ""},
		{"criu_work_path", m.CriuWorkPath != ""},
	} {
		if f.set {
			ignored = append(ignored, f.name)
		}
	}
	return o, ignored
}

func (o *Options) validate() error {
	if o.OCIRoot != "" && !filepath.IsAbs(o.OCIRoot) {
		return fmt.Errorf("runtime options: oci_root %q: not an absolute path: %w", o.OCIRoot, errdefs.ErrInvalidArgument)
	}
	if strings.ContainsRune(o.OCIRuntime, '/') && !filepath.IsAbs(o.OCIRuntime) {
		return fmt.Errorf("runtime options: oci_runtime %q: neither a name nor an absolute path: %w", o.OCIRuntime, errdefs.ErrInvalidArgument)
	}
	if strings.ContainsRune(o.OCIRuntime+o.OCIRoot, 0) {
		return fmt.Errorf("runtime options: a path with a NUL byte: %w", errdefs.ErrInvalidArgument)
	}
	return nil
}

// readFile reads a file of at most maxFile bytes; a longer one is an error.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("%s: longer than %d bytes", path, maxFile)
	}
	return b, nil
}
