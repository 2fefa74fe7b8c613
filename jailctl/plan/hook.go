package plan

import (
	"fmt"
	"path"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// hookPoint is a list of hooks and its name.
type hookPoint struct {
	name  string
	hooks []specs.Hook
}

func hookPoints(h *specs.Hooks) []hookPoint {
	return []hookPoint{
		{"prestart", h.Prestart}, //nolint:staticcheck // deprecated, and still in use
		{"createRuntime", h.CreateRuntime},
		{"createContainer", h.CreateContainer},
		{"startContainer", h.StartContainer},
		{"poststart", h.Poststart},
		{"poststop", h.Poststop},
	}
}

// hooks checks the hooks: one that can't be run would be found out only when the
// container is half way up, or gone.
func (b *builder) hooks() error {
	if b.spec.Hooks == nil {
		return nil
	}
	for _, point := range hookPoints(b.spec.Hooks) {
		for i, h := range point.hooks {
			field := fmt.Sprintf("hooks.%s[%d]", point.name, i)
			if !path.IsAbs(h.Path) || strings.ContainsRune(h.Path, 0) {
				return invalid(field+".path", "%q is no absolute path", h.Path)
			}
			if h.Timeout != nil && *h.Timeout <= 0 {
				return invalid(field+".timeout", "%d: a number of seconds more than 0 is allowed", *h.Timeout)
			}
			for j, a := range h.Args {
				if strings.ContainsRune(a, 0) {
					return invalid(fmt.Sprintf("%s.args[%d]", field, j), "%q: holds a NUL byte", a)
				}
			}
			if err := checkEnv(field+".env", h.Env); err != nil {
				return err
			}
		}
	}
	b.plan.Hooks = b.spec.Hooks
	return nil
}
