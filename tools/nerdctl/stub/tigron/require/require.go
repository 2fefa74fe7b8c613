// Package require is an empty stub; see README.
package require
