package lazyjson

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// sample has a field of each kind that is treated differently.
type sample struct {
	Name    string
	Plain   int `json:"plain"`
	Empty   int `json:"empty,omitempty"`
	None    inner
	Inner   inner   `json:"inner,omitempty"`
	Pointer *inner  `json:"pointer,omitempty"`
	Null    *inner  `json:"null"`
	List    []inner `json:"list"`
	Nested  [][]inner
	Far     []*inner `json:"far,omitempty"`
	Nothing []inner  `json:"nothing,omitempty"`
	Map     map[string]inner
	Strings map[string]string
	Number  *uint32
	Null2   map[string]string
	Array   [2]int32
	Raw     json.RawMessage `json:"raw,omitempty"`
	At      time.Time
	Address netip.Addr
	Any     any
	Words   [][]string
	Not     int `json:"-"`
	Mixed   mixed
	Text    text
	hidden  int
}

type inner struct {
	A string   `json:"a"`
	B *uint32  `json:"b,omitempty"`
	C []string `json:"c,omitempty"`
	D bool     `json:",omitempty"`
}

// mixed and text are left to encoding/json.
type mixed struct {
	inner
	E *inner
}

type text struct {
	F int       `json:"f,string"`
	G time.Time `json:",omitzero"`
}

func full() *sample {
	n := uint32(0)
	i := inner{A: "<é>", B: &n, C: []string{"x", ""}, D: true}
	return &sample{
		Name: "a\"b", Plain: -1, Inner: i, Pointer: &i, List: []inner{i, {}}, Nested: [][]inner{{i}, nil}, Far: []*inner{&i, nil},
		Map: map[string]inner{"k": i}, Strings: map[string]string{"b": "x", "a\"": "<", "": "é"}, Number: &n, Array: [2]int32{1, -2}, Raw: json.RawMessage(`{"r":[1]}`),
		At: time.Unix(1700000000, 5).UTC(), Address: netip.MustParseAddr("::1"), Any: "x", Words: [][]string{{"<", "y"}, {}, nil}, Not: 3, hidden: 4, Mixed: mixed{i, &i}, Text: text{F: 5},
	}
}

func TestMarshal_AsEncodingJSON(t *testing.T) {
	for _, v := range []any{full(), *full(), &sample{}, (*sample)(nil), nil, []inner{{}}, "s", 1, specs.Spec{}} {
		want, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Marshal(v); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%T: got %s, %v, want %s", v, got, err, want)
		}
	}
}

func TestUnmarshal_AsEncodingJSON(t *testing.T) {
	text, err := json.Marshal(full())
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		string(text), `{}`, `null`, ` {"NAME": "x", "name": "y", "Name": "z"} `, `{"unknown": {"a": [1, {}]}, "plain": 2}`,
		`{"inner": null, "list": [null, {"a": "x"}], "pointer": {"A": "x", "b": null}, "far": [], "Nested": [null, []]}`,
		`{"plain": null, "Map": null, "At": null, "list": null, "Number": null, "Any": null, "raw": null, "Words": null, "Name": null}`,
		`{"Strings": {"c": "\u00e9", "b": null, "d" : "y" }, "Number": 7, "Null2": {}}`, `{"Strings": null, "Null2": {"x": "y"}}`,
	} {
		want, got := full(), full()
		want.List, got.List = []inner{}, []inner{}
		if err := json.Unmarshal([]byte(text), want); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if err := Unmarshal([]byte(text), got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v, want %+v", text, got, err, want)
		}
	}
}

func TestUnmarshal_Errors(t *testing.T) {
	for text, word := range map[string]string{
		``: "", `{`: "", `{"plain": 1`: "", `{"plain" 1}`: "", `{} {}`: "after", `{}x`: "", `[]`: "a list, where an object", `1`: "",
		`{"plain": "x"}`:              "plain",
		`{"list": [{}, {"a": 1}]}`:    "list: 1: a",
		`{"list": {}}`:                "list",
		`{"list": [`:                  "",
		`{"inner": []}`:               "inner",
		`{"pointer": {"c": "x"}}`:     "pointer: c",
		`{"unknown": }`:               "",
		`{"plain": 1 "Name": "x"}`:    "",
		`{"Map": {"k": {"a": true}}}`: "Map",
		`{"Strings": {"k": 1}}`:       "Strings: k",
		`{"Strings": ["k"]}`:          "Strings",
		`{"At": 1}`:                   "At",
		`{"At": "noon"}`:              "At",
	} {
		if err := Unmarshal([]byte(text), new(sample)); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: got error %v, want %q in it", text, err, word)
		}
	}
	for _, to := range []any{nil, sample{}, (*sample)(nil)} {
		if err := Unmarshal([]byte(`{}`), to); err == nil {
			t.Errorf("into %#v: no error", to)
		}
	}
}

// Of any text, both make the same specification, or an error.
func FuzzUnmarshal(f *testing.F) {
	f.Add([]byte(`{"process": {"user": {"uid": 1, "umask": 18}, "args": ["a"], "rlimits": [{"type": "x", "hard": 1}]}}`))
	f.Add([]byte(`{"ociVersion": "1", "mounts": [{"options": null}, null], "hooks": {"poststop": []}, "strange": [{}]}`))
	f.Add([]byte(`{"linux": {"resources": {"pids": {"limit": 7}}}, "annotations": {"a": "b"}, "root": null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if repeats(text) {
			return // there encoding/json mixes elements of one list with those of the other
		}
		var want, got specs.Spec
		werr, err := json.Unmarshal(text, &want), Unmarshal(text, &got)
		if (werr == nil) != (err == nil) {
			t.Fatalf("got error %v, want %v", err, werr)
		}
		if err == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

// repeats reports whether an object in the text has two members of one name.
func repeats(text []byte) bool {
	d := json.NewDecoder(bytes.NewReader(text))
	var names []map[string]bool // of the objects around; nil: a list
	name := false               // the next one in an object is a name
	for {
		token, err := d.Token()
		if err != nil {
			return false
		}
		top := len(names) - 1
		if s, ok := token.(string); ok && name {
			s = strings.ToLower(strings.ToUpper(s))
			if names[top][s] {
				return true
			}
			names[top][s] = true
			name = false
			continue
		}
		switch token {
		case json.Delim('{'):
			names = append(names, make(map[string]bool))
		case json.Delim('['):
			names = append(names, nil)
		case json.Delim('}'), json.Delim(']'):
			names = names[:top]
		}
		name = len(names) > 0 && names[len(names)-1] != nil
	}
}
