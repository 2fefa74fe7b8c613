// Package pftest enables pf for tests that need one. There is one pf on a machine: tests
// of several packages may not run at once.
package pftest
