//go:build !linux

package main

import (
	"errors"
	"runtime"
)

var errUnsupported = errors.New("not measured on " + runtime.GOOS)

func shimOf(int) (int, error) { return 0, errUnsupported }

func memoryOf(int) (memory, error) { return memory{}, errUnsupported }

func kernel() string { return runtime.GOOS }

func busy() (float64, error) { return 0, errUnsupported }
