package plan

import (
	"fmt"
	"reflect"
	"strings"
	"sync"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// classes returns fields by path. It is made when a plan is: most commands make none.
var classes = sync.OnceValue(func() map[string]field {
	m := make(map[string]field, len(fields))
	for _, f := range fields {
		m[f.path] = f
	}
	return m
})

// checkFields looks at all that is set in a specification. It returns the paths
// of what is ignored, and an error for a field that is refused or that this
// program has never heard of.
func checkFields(spec *specs.Spec) ([]string, error) {
	w := fieldWalk{}
	err := w.walk(reflect.ValueOf(spec).Elem(), "", "")
	return w.ignored, err
}

// checkProcess is checkFields for the process of an exec.
func checkProcess(p *specs.Process) ([]string, error) {
	w := fieldWalk{}
	err := w.walk(reflect.ValueOf(p).Elem(), "process", "process")
	return w.ignored, err
}

type fieldWalk struct{ ignored []string }

// walk looks at a value. shown is its path with the numbers of list elements,
// path the same with [] for each, as in the table.
func (w *fieldWalk) walk(v reflect.Value, path, shown string) error {
	if !isSet(v) {
		return nil
	}
	f, known := classes()[path]
	switch {
	case known && f.class == refused:
		return invalid(shown, "can't be done: %s", f.why)
	case known && f.class == ignored:
		w.ignored = append(w.ignored, shown)
		return nil
	case known:
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		return w.walk(v.Elem(), path, shown)
	case reflect.Struct:
		for i := range v.NumField() {
			if !isSet(v.Field(i)) {
				continue // most are not, and to name them takes longest
			}
			name := jsonName(v.Type().Field(i))
			if err := w.walk(v.Field(i), join(path, name), join(shown, name)); err != nil {
				return err
			}
		}
		return nil
	case reflect.Slice:
		for i := range v.Len() {
			if err := w.walk(v.Index(i), path+"[]", fmt.Sprintf("%s[%d]", shown, i)); err != nil {
				return err
			}
		}
		return nil
	}
	return invalid(shown, "not known to this version")
}

// isSet reports whether a field says anything: an empty list says as much as none.
func isSet(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map:
		return v.Len() > 0
	}
	return !v.IsZero()
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
