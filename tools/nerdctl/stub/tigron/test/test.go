// Package test is an empty stub; see README.
package test
