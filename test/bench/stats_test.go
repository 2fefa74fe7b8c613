package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"slices"
	"testing"
)

// TestMeasure_Sum_Figures: the bounds of the project are judged by these.
func TestMeasure_Sum_Figures(t *testing.T) {
	for name, c := range map[string]struct {
		ours, theirs  []float64
		bound         *bound
		median, ratio float64
		met           bool
	}{
		"one pair":             {[]float64{3}, []float64{4}, nil, 3, 0.75, true},
		"odd":                  {[]float64{1, 9, 2}, []float64{1, 3, 4}, nil, 2, 1, true},
		"even":                 {[]float64{1, 3}, []float64{2, 2}, nil, 2, 1, true},
		"ratio at the bound":   {[]float64{5}, []float64{5}, notSlower, 5, 1, true},
		"ratio over it":        {[]float64{6}, []float64{5}, notSlower, 6, 1.2, false},
		"value at the bound":   {[]float64{12}, []float64{1}, idleMax, 12, 12, true},
		"value over it":        {[]float64{12.5}, []float64{50}, idleMax, 12.5, 0.25, false},
		"pairs, not medians":   {[]float64{1, 10, 100}, []float64{2, 10, 50}, nil, 10, 1, true},
		"outliers don't count": {[]float64{1, 1, 1, 1, 99}, []float64{1, 1, 1, 1, 1}, notSlower, 1, 1, true},
	} {
		m := &measure{Ours: c.ours, Theirs: c.theirs, Bound: c.bound}
		m.sum()
		if m.MedianOurs != c.median || math.Abs(m.Ratio-c.ratio) > 1e-12 || m.Met != c.met {
			t.Errorf("%s: got median %v, ratio %v, met %t, want %v, %v, %t", name, m.MedianOurs, m.Ratio, m.Met, c.median, c.ratio, c.met)
		}
		if m.Low > m.Ratio || m.High < m.Ratio {
			t.Errorf("%s: median %v is not between the quartiles %v and %v", name, m.Ratio, m.Low, m.High)
		}
	}
}

// TestReport_SeveralPeersAndNone_RowsFitHead: a row with a cell too few or too many
// moves all that follows under the wrong title.
func TestReport_SeveralPeersAndNone_RowsFitHead(t *testing.T) {
	alone := &measure{Name: "alone", Unit: "MiB", Bound: idleMax, Ours: []float64{13}}
	named := &measure{Name: "named", Unit: "ms", Bound: notSlower, Ours: []float64{1}, Theirs: []float64{2}}
	other := &measure{Name: "other", Unit: "ms", Ours: []float64{1}, Theirs: []float64{2}}
	r := &report{Ours: "ours", Theirs: "theirs"}
	r.add("", alone, other)
	if len(r.row(other)) != len(r.head()) {
		t.Errorf("with one peer: %q below %q", r.row(other), r.head())
	}
	r.add("jexec", named)
	for m, want := range map[*measure][]string{
		alone: {"alone", "13.0 MiB", "", "", "", "1", "≤ 12 MiB: not met", ""},
		named: {"named", "1.00 ms", "2.00 ms", "0.50", "", "1", "ratio ≤ 1.0: met", "jexec"},
		other: {"other", "1.00 ms", "2.00 ms", "0.50", "", "1", "", "theirs"},
	} {
		if got := r.row(m); !slices.Equal(got, want) || len(got) != len(r.head()) {
			t.Errorf("got %q below %q, want %q", got, r.head(), want)
		}
	}
	if got := r.missed(); !slices.Equal(got, []string{"alone"}) {
		t.Errorf("bounds missed: %q", got)
	}
}

// TestPlot_AnyReport_WellFormed: browsers show nothing at all of an SVG that is
// not well-formed XML.
func TestPlot_AnyReport_WellFormed(t *testing.T) {
	r := &report{Ours: "a<b", Theirs: "c&d"}
	for _, ratio := range []float64{0.01, 1, 7} {
		m := &measure{Name: "a < b & c", Unit: "ms", Bound: notSlower, Ours: []float64{ratio, ratio, ratio, ratio}, Theirs: []float64{1, 1, 1, 1}}
		m.sum()
		r.Measures = append(r.Measures, m)
	}
	decoder := xml.NewDecoder(bytes.NewReader(r.plot()))
	for {
		_, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestShimProgram_RuntimeName_AsContainerd: containerd looks for this name.
func TestShimProgram_RuntimeName_AsContainerd(t *testing.T) {
	if got, want := shimProgram("io.containerd.jail.v2"), "containerd-shim-jail-v2"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
