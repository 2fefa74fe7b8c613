package main

import (
	"math"
	"slices"
	"strings"
	"time"
)

// sample is one run's values: one, or several that are measured together.
type sample []float64

func milliseconds(d time.Duration) sample {
	return sample{float64(d) / float64(time.Millisecond)}
}

// measure is a thing that is measured, with all its values, pair by pair.
type measure struct {
	Name  string `json:"name"`
	Unit  string `json:"unit"`
	Bound *bound `json:"bound,omitempty"`
	// Against is what theirs is, if it is not the report's Theirs.
	Against string `json:"against,omitempty"`

	Ours   []float64 `json:"ours"`
	Theirs []float64 `json:"theirs,omitempty"` // none: nothing to compare with

	// Of these, by sum:

	MedianOurs   float64 `json:"median_ours"`
	MedianTheirs float64 `json:"median_theirs,omitempty"`
	// Ratio is the median of the pairs' ratios; Low and High are their quartiles.
	Ratio float64 `json:"ratio,omitempty"`
	Low   float64 `json:"ratio_lower_quartile,omitempty"`
	High  float64 `json:"ratio_upper_quartile,omitempty"`
	// Met says if the bound is kept; true without one.
	Met bool `json:"met"`
}

// add adds a value, to three digits after the point.
func (m *measure) add(ours bool, v float64) {
	v = math.Round(v*1000) / 1000
	if ours {
		m.Ours = append(m.Ours, v)
	} else {
		m.Theirs = append(m.Theirs, v)
	}
}

// sum computes the figures from the values.
func (m *measure) sum() {
	m.MedianOurs = quantile(m.Ours, 0.5)
	if m.compared() {
		ratios := make([]float64, len(m.Ours))
		for i := range ratios {
			ratios[i] = m.Ours[i] / m.Theirs[i]
		}
		m.MedianTheirs = quantile(m.Theirs, 0.5)
		m.Ratio, m.Low, m.High = quantile(ratios, 0.5), quantile(ratios, 0.25), quantile(ratios, 0.75)
	}
	m.Met = true
	if b := m.Bound; b != nil {
		value := m.MedianOurs
		if b.Ratio {
			value = m.Ratio
		}
		m.Met = value <= b.Max
	}
}

// compared tells whether there was something to compare with.
func (m *measure) compared() bool { return len(m.Theirs) > 0 }

// quantile returns the value below which the given part of the values lies,
// interpolated between the two nearest. There is at least one value.
func quantile(values []float64, part float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	at := part * float64(len(sorted)-1)
	i := int(at)
	if i+1 == len(sorted) {
		return sorted[i]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// shimProgram returns the name of a runtime's shim, as containerd makes it: of
// the last two parts of the runtime's name.
func shimProgram(runtime string) string {
	parts := strings.Split(runtime, ".")
	return "containerd-shim-" + strings.Join(parts[max(0, len(parts)-2):], "-")
}
