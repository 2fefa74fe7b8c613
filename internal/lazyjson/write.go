package lazyjson

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// Marshal writes what v is or points to, as [json.Marshal] does.
func Marshal(v any) ([]byte, error) {
	return write(nil, reflect.ValueOf(v))
}

func write(b []byte, v reflect.Value) ([]byte, error) {
	if !v.IsValid() {
		return append(b, null...), nil
	}
	switch f := formOf(v.Type()); {
	case f == other:
		return writeOther(b, v)
	case f == object:
		return writeObject(b, v)
	case v.IsNil():
		return append(b, null...), nil
	case f == pointer:
		return writeObject(b, v.Elem())
	}
	return writeList(b, v)
}

func writeObject(b []byte, v reflect.Value) ([]byte, error) {
	b = append(b, '{')
	fields, _ := fieldsOf(v.Type())
	first := true
	for _, f := range fields {
		value := v.Field(f.index)
		if f.omitEmpty && isEmpty(value) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(b, '"')
		b = append(b, f.name...)
		b = append(b, `":`...)
		var err error
		if b, err = write(b, value); err != nil {
			return nil, at(f.name, err)
		}
	}
	return append(b, '}'), nil
}

func writeList(b []byte, v reflect.Value) ([]byte, error) {
	b = append(b, '[')
	for i := range v.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = write(b, v.Index(i)); err != nil {
			return nil, at(i, err)
		}
	}
	return append(b, ']'), nil
}

// writeOther writes a value that is left to encoding/json, but for those that it would take
// longest to come to.
func writeOther(b []byte, v reflect.Value) ([]byte, error) {
	if v.Type() == timeType {
		text, err := v.Interface().(time.Time).MarshalJSON()
		return append(b, text...), err
	}
	if !speaksJSON(v.Type()) {
		switch v.Kind() {
		case reflect.Map, reflect.Pointer, reflect.Slice, reflect.Interface:
			if v.IsNil() {
				return append(b, null...), nil
			}
			if m, ok := v.Interface().(map[string]string); ok {
				return writeStrings(b, m)
			}
		case reflect.String:
			if s := v.String(); staysAsItIs(s) {
				return append(append(append(b, '"'), s...), '"'), nil
			}
		case reflect.Bool:
			return strconv.AppendBool(b, v.Bool()), nil
		case reflect.Int, reflect.Int64:
			return strconv.AppendInt(b, v.Int(), 10), nil
		case reflect.Uint32, reflect.Uint64:
			return strconv.AppendUint(b, v.Uint(), 10), nil
		}
	}
	text, err := json.Marshal(v.Interface())
	return append(b, text...), err
}

// writeStrings writes a map, by its keys.
func writeStrings(b []byte, m map[string]string) ([]byte, error) {
	b = append(b, '{')
	for i, key := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = writeOther(b, reflect.ValueOf(key)); err != nil {
			return nil, err
		}
		b = append(b, ':')
		if b, err = writeOther(b, reflect.ValueOf(m[key])); err != nil {
			return nil, at(key, err)
		}
	}
	return append(b, '}'), nil
}

// staysAsItIs reports whether nothing of a string is written in another way.
func staysAsItIs(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ', c >= utf8.RuneSelf-1, c == '"', c == '\\', c == '<', c == '>', c == '&':
			return false
		}
	}
	return true
}

// isEmpty reports whether a value is left out where the tag says omitempty.
func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}
