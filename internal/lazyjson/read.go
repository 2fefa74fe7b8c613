package lazyjson

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Unmarshal reads a value into what v points to, as [json.Unmarshal] does; lists of structs
// and of strings are always made anew. Errors name the field.
func Unmarshal(text []byte, v any) error {
	to := reflect.ValueOf(v)
	if to.Kind() != reflect.Pointer || to.IsNil() {
		return fmt.Errorf("%T: not a pointer to a value", v)
	}
	// The rest relies on it that the text is in order.
	if !json.Valid(text) {
		return json.Unmarshal(text, new(json.RawMessage)) // which says why not
	}
	r := reader{text: text}
	return r.read(to.Elem())
}

// reader reads a text that is known to be one value in JSON.
type reader struct {
	text []byte
	pos  int
}

// peek returns the first byte of the next token.
func (r *reader) peek() byte {
	for {
		switch c := r.text[r.pos]; c {
		case ' ', '\t', '\r', '\n':
			r.pos++
		default:
			return c
		}
	}
}

// take takes the next token if it is this byte.
func (r *reader) take(c byte) bool {
	if r.peek() != c {
		return false
	}
	r.pos++
	return true
}

// value takes the next value.
func (r *reader) value() []byte {
	r.peek()
	begin, depth := r.pos, 0
	for ; r.pos < len(r.text); r.pos++ {
		switch r.text[r.pos] {
		case '"':
			r.skipString()
		case '{', '[':
			depth++
			continue
		case '}', ']':
			if depth == 0 { // of what the value is in
				return r.text[begin:r.pos]
			}
			depth--
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return r.text[begin:r.pos]
			}
			continue
		default:
			continue
		}
		if depth == 0 { // a string, an object or a list has ended
			r.pos++
			break
		}
	}
	return r.text[begin:r.pos]
}

// skipString goes from a string's first quote to its last.
func (r *reader) skipString() {
	for r.pos++; r.text[r.pos] != '"'; r.pos++ {
		if r.text[r.pos] == '\\' {
			r.pos++
		}
	}
}

// null takes the next value if it is null.
func (r *reader) null() bool {
	if r.peek() != 'n' {
		return false
	}
	r.pos += len(null)
	return true
}

// read reads the next value.
func (r *reader) read(to reflect.Value) error {
	f := formOf(to.Type())
	switch {
	case f == other:
		return readOther(r.value(), to)
	case r.null():
		if f != object {
			to.SetZero()
		}
		return nil
	case f == list:
		return r.readList(to)
	case f == pointer:
		if to.IsNil() {
			to.Set(reflect.New(to.Type().Elem()))
		}
		to = to.Elem()
	}
	return r.readObject(to)
}

func (r *reader) readObject(to reflect.Value) error {
	if !r.take('{') {
		return fmt.Errorf("%s, where an object should be", kindOf(r.peek()))
	}
	fields, _ := fieldsOf(to.Type())
	for !r.take('}') {
		name, err := plainString(r.value())
		if err != nil {
			return err
		}
		r.take(':')
		if f := find(fields, name); f != nil {
			if err := r.read(to.Field(f.index)); err != nil {
				return at(name, err)
			}
		} else {
			r.value()
		}
		r.take(',')
	}
	return nil
}

func (r *reader) readList(to reflect.Value) error {
	if !r.take('[') {
		return fmt.Errorf("%s, where a list should be", kindOf(r.peek()))
	}
	all := reflect.MakeSlice(to.Type(), 0, 0)
	for !r.take(']') {
		all = reflect.Append(all, reflect.Zero(to.Type().Elem()))
		if err := r.read(all.Index(all.Len() - 1)); err != nil {
			return at(all.Len()-1, err)
		}
		r.take(',')
	}
	to.Set(all)
	return nil
}

// kindOf names a value by its first byte.
func kindOf(c byte) string {
	switch c {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a string"
	case 't', 'f':
		return "true or false"
	}
	return "a number"
}

// find returns the field for a member's name, as encoding/json chooses it: case counts only
// if there are several. There may be none: nil.
func find(fields []field, name string) *field {
	var found *field
	for i := range fields {
		switch f := &fields[i]; {
		case f.name == name:
			return f
		case found == nil && strings.EqualFold(f.name, name):
			found = f
		}
	}
	return found
}

// readOther reads a value that is left to encoding/json, but for those that it would take
// longest to come to.
func readOther(text []byte, to reflect.Value) error {
	if to.Type() == timeType {
		return to.Addr().Interface().(*time.Time).UnmarshalJSON(text)
	}
	if !speaksJSON(to.Type()) {
		switch to.Kind() {
		case reflect.Map, reflect.Pointer, reflect.Slice, reflect.Interface:
			if text[0] == null[0] {
				to.SetZero()
				return nil
			}
			if m, ok := to.Addr().Interface().(*map[string]string); ok && text[0] == '{' {
				return readStrings(text, m)
			}
		case reflect.String:
			if isPlain(text) {
				to.SetString(string(text[1 : len(text)-1]))
				return nil
			}
		case reflect.Bool:
			if text[0] == 't' || text[0] == 'f' {
				to.SetBool(text[0] == 't')
				return nil
			}
		case reflect.Int, reflect.Int64:
			if n, err := strconv.ParseInt(string(text), 10, 64); err == nil && !to.OverflowInt(n) {
				to.SetInt(n)
				return nil
			}
		case reflect.Uint32, reflect.Uint64:
			if n, err := strconv.ParseUint(string(text), 10, 64); err == nil && !to.OverflowUint(n) {
				to.SetUint(n)
				return nil
			}
		}
	}
	return json.Unmarshal(text, to.Addr().Interface())
}

// readStrings reads an object, and adds its members to a map.
func readStrings(text []byte, m *map[string]string) error {
	if *m == nil {
		*m = make(map[string]string)
	}
	r := reader{text: text, pos: 1}
	for !r.take('}') {
		key, err := plainString(r.value())
		if err != nil {
			return err
		}
		r.take(':')
		value := ""
		if err := readOther(r.value(), reflect.ValueOf(&value).Elem()); err != nil {
			return at(key, err)
		}
		(*m)[key] = value
		r.take(',')
	}
	return nil
}

// isPlain reports whether a value is a string that is what is between its quotes.
func isPlain(text []byte) bool {
	if text[0] != '"' {
		return false
	}
	for _, c := range text {
		if c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// plainString reads a string.
func plainString(text []byte) (s string, err error) {
	if isPlain(text) {
		return string(text[1 : len(text)-1]), nil
	}
	err = json.Unmarshal(text, &s)
	return s, err
}
