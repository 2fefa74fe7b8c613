package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"jailshim/internal/lazyjson"
)

// Extra is what a config.json says in freebsd.jail and the Go type of the runtime
// specification can't hold. Values are as in an annotation: true, 4, new,
// "10.0.0.1,10.0.0.2".
type Extra struct {
	// Jail has the unknown keys of freebsd.jail: names of jail parameters, as
	// published examples write them ("allow.mount.zfs", "devfs_ruleset").
	Jail map[string]string `json:",omitempty"`
	// Allow has the unknown keys of freebsd.jail.allow, and those of the known
	// ones that are there and false, which the Go type can't tell from missing.
	Allow map[string]string `json:",omitempty"`
}

// Load reads the config.json of a bundle.
//
// A missing file wraps errdefs.ErrNotFound; otherwise it is [Decode].
func Load(bundle string) (*specs.Spec, Extra, error) {
	path := filepath.Join(bundle, "config.json")
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, Extra{}, fmt.Errorf("%w: %w", errdefs.ErrNotFound, err)
	}
	if err != nil {
		return nil, Extra{}, err
	}
	spec, extra, err := Decode(b)
	if err != nil {
		return nil, Extra{}, fmt.Errorf("%s: %w", path, err)
	}
	return spec, extra, nil
}

// Decode reads a config.json. Unknown keys are kept if they are in freebsd.jail,
// and otherwise skipped, as the runtime specification demands. Errors wrap
// errdefs.ErrInvalidArgument.
func Decode(b []byte) (*specs.Spec, Extra, error) {
	spec := new(specs.Spec)
	if err := lazyjson.Unmarshal(b, spec); err != nil {
		return nil, Extra{}, fmt.Errorf("%w: %w", errdefs.ErrInvalidArgument, err)
	}
	if spec.FreeBSD == nil || spec.FreeBSD.Jail == nil {
		return spec, Extra{}, nil
	}
	extra, err := decodeExtra(b)
	if err != nil {
		return nil, Extra{}, err
	}
	return spec, extra, nil
}

// decodeExtra reads what the Go type of the key freebsd could not hold.
func decodeExtra(b []byte) (Extra, error) {
	var raw struct {
		FreeBSD struct {
			Jail map[string]json.RawMessage `json:"jail"`
		} `json:"freebsd"`
	}
	if err := lazyjson.Unmarshal(b, &raw); err != nil {
		return Extra{}, fmt.Errorf("%w: %w", errdefs.ErrInvalidArgument, err)
	}
	var e Extra
	known := jsonNames(reflect.TypeFor[specs.FreeBSDJail]())
	allowed := jsonNames(reflect.TypeFor[specs.FreeBSDJailAllow]())
	for key, value := range raw.FreeBSD.Jail {
		switch {
		case strings.EqualFold(key, "allow"):
			var allow map[string]json.RawMessage
			if err := json.Unmarshal(value, &allow); err != nil {
				return Extra{}, fmt.Errorf("freebsd.jail.allow: %w: %w", errdefs.ErrInvalidArgument, err)
			}
			for k, v := range allow {
				if has(allowed, k) && string(v) != "false" {
					continue
				}
				if err := keep(&e.Allow, "freebsd.jail.allow.", k, v); err != nil {
					return Extra{}, err
				}
			}
		case !has(known, key):
			if err := keep(&e.Jail, "freebsd.jail.", key, value); err != nil {
				return Extra{}, err
			}
		}
	}
	return e, nil
}

func keep(to *map[string]string, prefix, key string, value json.RawMessage) error {
	if string(value) == "null" {
		return nil // as if it weren't there
	}
	text, err := valueText(value)
	if err != nil {
		return invalid(prefix+key, "%v", err)
	}
	if *to == nil {
		*to = make(map[string]string)
	}
	(*to)[key] = text
	return nil
}

// valueText writes a JSON value as an annotation would have it.
func valueText(raw json.RawMessage) (string, error) {
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return "", err
	}
	switch v := v.(type) {
	case string:
		return v, nil
	case bool, json.Number:
		return fmt.Sprint(v), nil
	case []any:
		var parts []string
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return "", fmt.Errorf("%s is no list of strings", raw)
			}
			parts = append(parts, s)
		}
		return strings.Join(parts, ","), nil
	}
	return "", fmt.Errorf("%s is no value of a jail parameter: true, false, a number, a string or a list of strings is", raw)
}

// jsonNames are the keys that the JSON decoder puts into a struct.
func jsonNames(t reflect.Type) []string {
	var out []string
	for f := range t.Fields() {
		out = append(out, jsonName(f))
	}
	return out
}

// has compares as the JSON decoder does.
func has(names []string, key string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, key) })
}
