package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"slices"
)

// The picture's layout, in pixels.
const (
	plotWidth  = 860
	plotTop    = 74  // of the first row
	plotRow    = 26  // height of a row
	plotLeft   = 290 // where ratio 0 is
	plotRight  = 640 // where the largest ratio is
	plotValues = 656 // where the values stand
)

// style makes the picture legible on a light and on a dark page: it has no
// background of its own, its colours are of middle brightness, and where the
// viewer tells what the page is like, its text follows.
const style = `text{font:13px system-ui,sans-serif;fill:#6e7781}
.small{font-size:11px}
.axis,.one{stroke:#8c959f;stroke-width:1}
.met{fill:#2f81f7}
.unmet{fill:#d4720b}
.range{stroke:#8c959f;stroke-width:2}
.bound{stroke:#d4720b;stroke-width:3}
@media (prefers-color-scheme:light){
text{fill:#1f2328}
.small{fill:#59636e}
.range{stroke:#1f2328}
}
@media (prefers-color-scheme:dark){
text{fill:#e6edf3}
.small{fill:#9198a1}
.range{stroke:#e6edf3}
}`

// plot returns the result as a picture: for each measure that is compared with
// something a bar as long as the ratio of ours to theirs, with the line where both
// are the same.
func (r *report) plot() []byte {
	largest := 1.2
	measures := slices.DeleteFunc(slices.Clone(r.Measures), func(m *measure) bool { return !m.compared() })
	for _, m := range measures {
		largest = math.Max(largest, math.Max(m.Ratio, m.High)*1.02)
	}
	x := func(ratio float64) float64 {
		return plotLeft + (plotRight-plotLeft)*math.Max(0, math.Min(ratio, largest))/largest
	}
	bottom := plotTop + plotRow*len(measures)
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">
<title>%s</title>
<style>%s</style>
`, plotWidth, bottom+44, plotWidth, bottom+44, html.EscapeString(r.beside()), style)
	text := func(x float64, y int, class, anchor, s string) {
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" class="%s" text-anchor="%s">%s</text>`+"\n", x, y, class, anchor, html.EscapeString(s))
	}
	line := func(class string, x1 float64, y1 int, x2 float64, y2 int) {
		fmt.Fprintf(&b, `<line class="%s" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/>`+"\n", class, x1, y1, x2, y2)
	}

	text(8, 22, "", "start", "ours, as a multiple of "+plotPeer+"; shorter is better")
	text(8, 42, "small", "start", "medians; orange mark: the bound; thin line: the middle half of the pairs")
	text(plotValues, plotTop-10, "small", "start", "ours / theirs")
	line("one", x(1), plotTop-4, x(1), bottom+4)
	for i, m := range measures {
		y := plotTop + plotRow*i
		text(plotLeft-10, y+17, "", "end", m.Name)
		class := "met"
		if !m.Met {
			class = "unmet"
		}
		fmt.Fprintf(&b, `<rect class="%s" x="%d" y="%d" width="%.1f" height="%d" rx="2"/>`+"\n", class, plotLeft, y+5, x(m.Ratio)-plotLeft, plotRow-10)
		if m.spread() != "" {
			line("range", x(m.Low), y+plotRow/2, x(m.High), y+plotRow/2)
		}
		if m.Bound != nil {
			at := m.Bound.Max
			if !m.Bound.Ratio {
				at /= m.MedianTheirs
			}
			if at <= largest {
				line("bound", x(at), y+3, x(at), y+plotRow-3)
			}
		}
		text(plotValues, y+17, "", "start", fmt.Sprintf("%.2f", m.Ratio))
		text(plotValues+36, y+17, "small", "start", m.value(m.MedianOurs)+" / "+m.value(m.MedianTheirs))
	}
	line("axis", plotLeft, bottom, plotRight, bottom)
	for _, tick := range []float64{0, 0.5, 1} {
		line("axis", x(tick), bottom, x(tick), bottom+4)
		text(x(tick), bottom+17, "small", "middle", fmt.Sprintf("%g", tick))
	}
	text(8, bottom+36, "small", "start", r.setting())
	b.WriteString("</svg>\n")
	return b.Bytes()
}
