// Package expect is an empty stub; see README.
package expect
