// Package utils is an empty stub; see README.
package utils
