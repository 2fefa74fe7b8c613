// Package testca is an empty stub; see README.
package testca
