package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"text/tabwriter"
)

// report is what bench.json holds.
type report struct {
	Date        string     `json:"date"`
	OS          string     `json:"os"`
	Arch        string     `json:"arch"`
	Kernel      string     `json:"kernel"`
	CPUs        int        `json:"cpus"`
	Containerd  string     `json:"containerd"`
	Snapshotter string     `json:"snapshotter"`
	Ours        string     `json:"ours"`
	Theirs      string     `json:"theirs"`
	Measures    []*measure `json:"measures"`
}

// setting tells in one line what the figures are about.
func (r *report) setting() string {
	return fmt.Sprintf("%s, %s/%s, %s, %d CPUs, containerd %s, snapshotter %s",
		r.Date, r.OS, r.Arch, r.Kernel, r.CPUs, r.Containerd, r.Snapshotter)
}

// missed returns the names of the measures whose bound is not met.
func (r *report) missed() (names []string) {
	for _, m := range r.Measures {
		if !m.Met {
			names = append(names, m.Name)
		}
	}
	return names
}

// value prints a value with the digits that mean something.
func (m *measure) value(v float64) string {
	if v < 10 {
		return fmt.Sprintf("%.2f %s", v, m.Unit)
	}
	return fmt.Sprintf("%.1f %s", v, m.Unit)
}

// spread prints the quartiles of the ratio, if there are enough values for any.
func (m *measure) spread() string {
	if len(m.Ours) < 4 {
		return ""
	}
	return fmt.Sprintf("%.2f to %.2f", m.Low, m.High)
}

// promise prints the bound and if it is met.
func (m *measure) promise() string {
	if m.Bound == nil {
		return ""
	}
	limit := fmt.Sprintf("≤ %.0f %s", m.Bound.Max, m.Unit)
	if m.Bound.Ratio {
		limit = fmt.Sprintf("ratio ≤ %.1f", m.Bound.Max)
	}
	if m.Met {
		return limit + ": met"
	}
	return limit + ": not met"
}

// row returns the cells of the measure's line in a table.
func (m *measure) row() []any {
	return []any{m.Name, m.value(m.MedianOurs), m.value(m.MedianTheirs), fmt.Sprintf("%.2f", m.Ratio), m.spread(), len(m.Ours), m.promise()}
}

// table prints the result for people.
func (r *report) table(w io.Writer) {
	fmt.Fprintf(w, "\n%s\nours is %s, theirs %s; medians; the ratio is the median of the pairs' ratios\n\n", r.setting(), r.Ours, r.Theirs)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\tours\ttheirs\tratio\tmiddle half\tpairs\tbound")
	for _, m := range r.Measures {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\t%s\n", m.row()...)
	}
	_ = t.Flush() // to the screen: nobody to tell
}

// lists are the lists of numbers in the JSON text, which belong on a line each.
var lists = regexp.MustCompile(`\[[-+.0-9e,\s]+\]`)

// write writes the result into a folder, as JSON, as a page and as a picture.
func (r *report) write(dir string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	data = lists.ReplaceAllFunc(data, func(list []byte) []byte {
		return bytes.Join(bytes.Fields(list), []byte(" "))
	})
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		"bench.json": append(data, '\n'),
		"bench.md":   r.page(),
		"bench.svg":  r.plot(),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// page returns bench.md.
func (r *report) page() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `# How fast, how large

Written by `+"`make bench`"+`: %s beside containerd's own shim, %s, with the same
containerd, runc and image, one run of each in turn. Values are medians; the ratio is the median of
the pairs' ratios, below 1 where ours is faster or smaller, and its middle half says how sure it is.
All values are in [bench.json](bench.json).

%s

![ratio of ours to containerd's shim, for each measure](bench.svg)

| | ours | theirs | ratio | middle half | pairs | bound |
|---|--:|--:|--:|--:|--:|---|
`, r.Ours, r.Theirs, r.setting())
	for _, m := range r.Measures {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %d | %s |\n", m.row()...)
	}
	return b.Bytes()
}
