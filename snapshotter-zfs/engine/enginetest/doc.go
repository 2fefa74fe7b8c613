// Package enginetest is the suite that each engine passes, and the long form of the
// contract of package engine: what is made can be got back, what fails leaves nothing
// and says why by its class.
package enginetest
