// Package lazyjson reads and writes JSON as encoding/json does, for processes that read or
// write one value of a large type and end.
//
// For the first value of a type, encoding/json works through all types that are in it, be
// they in the text or not. To read a container's specification, that takes ten times as
// many instructions as the rest. Here a struct is looked at when a value of it is there, and
// of its fields those that have a value. All else is left to encoding/json: most values that
// are no structs, and structs that have embedded ones or other options in their tags than
// omitempty.
package lazyjson

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"
)

// field is a field of a struct, as it is in JSON.
type field struct {
	index     int
	name      string
	omitEmpty bool
}

// form is what is done about values of a type.
type form int

const (
	other   form = iota // left to encoding/json
	object              // a struct
	pointer             // to a struct
	list                // of structs, of pointers to some, of strings, or of such lists
)

func formOf(t reflect.Type) form {
	switch t.Kind() {
	case reflect.Struct:
		if _, ok := fieldsOf(t); ok {
			return object
		}
	case reflect.Pointer:
		if t.Elem().Kind() == reflect.Struct && formOf(t.Elem()) == object {
			return pointer
		}
	case reflect.Slice:
		if f := formOf(t.Elem()); (f != other || t.Elem().Kind() == reflect.String) && !speaksJSON(t) {
			return list
		}
	}
	return other
}

// structs has the fields of each struct that was looked at; nil for those that are left to
// encoding/json.
var structs = struct {
	sync.Mutex
	fields map[reflect.Type][]field
}{fields: make(map[reflect.Type][]field)}

// fieldsOf returns the fields of a struct; false if encoding/json does more about it than is
// done here.
func fieldsOf(t reflect.Type) ([]field, bool) {
	structs.Lock()
	defer structs.Unlock()
	fields, known := structs.fields[t]
	if !known {
		if !speaksJSON(t) {
			fields = lookAt(t)
		}
		structs.fields[t] = fields
	}
	return fields, fields != nil
}

func lookAt(t reflect.Type) []field {
	fields := make([]field, 0, t.NumField())
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			return nil
		}
		tag := f.Tag.Get("json")
		if !f.IsExported() || tag == "-" {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if options != "" && options != "omitempty" {
			return nil
		}
		if name == "" {
			name = f.Name
		}
		fields = append(fields, field{i, name, options != ""})
	}
	return fields
}

// speaksJSON reports whether a type has a way of its own to be read or written.
func speaksJSON(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	for _, way := range ways {
		if p.Implements(way) {
			return true
		}
	}
	return false
}

var ways = []reflect.Type{
	reflect.TypeFor[json.Unmarshaler](), reflect.TypeFor[json.Marshaler](),
	reflect.TypeFor[encoding.TextUnmarshaler](), reflect.TypeFor[encoding.TextMarshaler](),
}

var timeType = reflect.TypeFor[time.Time]()

// at says in which field or element an error is.
func at(where any, err error) error { return fmt.Errorf("%v: %w", where, err) }

const null = "null"
