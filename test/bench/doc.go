// Bench measures our shim beside containerd's own runc shim: the same daemon,
// runc, image and moment, one run of each in turn, so that whatever else the
// machine does befalls both. It prints a table, says which of the project's
// bounds are met, and writes bench.json, bench.md and bench.svg.
//
// What is compared is the ratio of the two runs of a pair; the table has the
// median of these ratios, which is not the ratio of the medians beside it.
//
// "make bench" builds what it needs and runs it, as root.
//
// In reading order: main.go, the list of measures in measures.go, how each is
// done in run.go, exec.go and memory.go, the figures in stats.go, and what is
// made of them in report.go and plot.go.
package main
