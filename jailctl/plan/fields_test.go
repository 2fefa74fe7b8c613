package plan

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// A new version of the runtime specification brings fields. Each must be decided
// upon: forgotten ones would be an error at run time for those who use them.
func TestFields_CoverSpecification(t *testing.T) {
	used := make(map[string]bool)
	var walk func(typ reflect.Type, path string, by []string)
	walk = func(typ reflect.Type, path string, by []string) {
		if typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		if _, ok := classes()[path]; ok {
			used[path] = true
			by = append(slices.Clone(by), path)
		}
		switch typ.Kind() {
		case reflect.Slice:
			if typ.Elem().Kind() == reflect.Struct {
				walk(typ.Elem(), path+"[]", by)
				return
			}
		case reflect.Struct:
			for f := range typ.Fields() {
				if name := jsonName(f); f.Anonymous && name == "" {
					walk(f.Type, path, by)
				} else {
					walk(f.Type, join(path, name), by)
				}
			}
			return
		}
		if len(by) != 1 {
			t.Errorf("%s: %d entries of the table decide: %v", path, len(by), by)
		}
	}
	walk(reflect.TypeFor[specs.Spec](), "", nil)
	for _, f := range fields {
		if !used[f.path] {
			t.Errorf("the specification has no %s", f.path)
		}
		if (f.class == refused) != (f.why != "") {
			t.Errorf("%s: a refusal, and nothing else, says why", f.path)
		}
	}
	if len(classes()) != len(fields) {
		t.Errorf("%d entries for %d fields", len(fields), len(classes()))
	}
}

// Each ignored field is reported and each refused one fails, when it is all that
// is set.
func TestCheckFields_EachField(t *testing.T) {
	for _, f := range fields {
		spec := new(specs.Spec)
		setField(t, reflect.ValueOf(spec).Elem(), strings.Split(f.path, "."))
		got, err := checkFields(spec)
		want := strings.ReplaceAll(f.path, "[]", "[0]")
		switch f.class {
		case handled:
			if err != nil || len(got) > 0 {
				t.Errorf("%s: %v, %v", f.path, got, err)
			}
		case ignored:
			if err != nil || !slices.Equal(got, []string{want}) {
				t.Errorf("%s: ignored %v, %v", f.path, got, err)
			}
		case refused:
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), f.why) {
				t.Errorf("%s: %v", f.path, err)
			}
		}
	}
}

// setField gives something to the field at a path.
func setField(t *testing.T, v reflect.Value, path []string) {
	t.Helper()
	for v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if len(path) > 0 {
		name, list := strings.CutSuffix(path[0], "[]")
		for i := range v.NumField() {
			if jsonName(v.Type().Field(i)) != name {
				continue
			}
			field := v.Field(i)
			if list {
				field.Set(reflect.MakeSlice(field.Type(), 1, 1))
				field = field.Index(0)
			}
			setField(t, field, path[1:])
			return
		}
		t.Fatalf("no field %s", name)
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint32, reflect.Uint64, reflect.Uint:
		v.SetUint(1)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem())
	}
}
