package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
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
	Theirs      string     `json:"theirs,omitempty"` // of those measures that name nothing else
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
	if len(m.Ours) < 4 || !m.compared() {
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

// head returns the titles of a table's columns. Only what is compared with
// several things has to say with which.
func (r *report) head() []string {
	head := []string{"", "ours", "theirs", "ratio", "middle half", "pairs", "bound"}
	if r.several() {
		head = append(head, "theirs is")
	}
	return head
}

// several tells whether the measures are compared with more than one thing.
func (r *report) several() bool {
	return slices.ContainsFunc(r.Measures, func(m *measure) bool { return m.Against != "" })
}

// row returns the cells of a measure's line in a table.
func (r *report) row(m *measure) []string {
	theirs, ratio, against := "", "", ""
	if m.compared() {
		theirs, ratio, against = m.value(m.MedianTheirs), fmt.Sprintf("%.2f", m.Ratio), cmp.Or(m.Against, r.Theirs)
	}
	row := []string{m.Name, m.value(m.MedianOurs), theirs, ratio, m.spread(), strconv.Itoa(len(m.Ours)), m.promise()}
	if r.several() {
		row = append(row, against)
	}
	return row
}

// table prints the result for people.
func (r *report) table(w io.Writer) {
	fmt.Fprintf(w, "\n%s\nours is %s, theirs %s; medians; the ratio is the median of the pairs' ratios\n\n",
		r.setting(), r.Ours, cmp.Or(r.Theirs, "what the last column says"))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(r.head(), "\t"))
	for _, m := range r.Measures {
		fmt.Fprintln(t, strings.Join(r.row(m), "\t"))
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
		page + ".json": append(data, '\n'),
		page + ".md":   r.page(),
		page + ".svg":  r.plot(),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// page returns the result as a page.
func (r *report) page() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `# How fast, how large

Written by `+"`make bench`"+`: %s, with the same
containerd, %s, one run of each in turn. Values are medians; the ratio is the median of
the pairs' ratios, below 1 where ours is faster or smaller, and its middle half says how sure it is.
All values are in [%[4]s.json](%[4]s.json).

%[3]s

![ratio of ours to theirs, for each measure](%[4]s.svg)

`, r.beside(), sameFor, r.setting(), page)
	head := r.head()
	fmt.Fprintf(&b, "| %s |\n", strings.TrimSpace(strings.Join(head, " | ")))
	// Numbers to the right, between what is said in words.
	fmt.Fprintf(&b, "|---%s%s|\n", strings.Repeat("|--:", 5), strings.Repeat("|---", len(head)-6))
	for _, m := range r.Measures {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(r.row(m), " | "))
	}
	return b.Bytes()
}

// beside says in words what is compared.
func (r *report) beside() string {
	if r.several() {
		return r.Ours + " beside what the last column says"
	}
	return r.Ours + " beside containerd's own shim, " + r.Theirs
}
