// Command jailctl is an OCI runtime that runs containers as FreeBSD jails; see
// package jailctl/cli.
package main

import (
	"context"
	"log/slog"
	"os"

	"jailshim/jailctl/cli"
)

func main() {
	p := &cli.Program{
		Stdin:  os.Stdin,
		Stdout: os.Stdout,
		Stderr: os.Stderr,
		SetLog: slog.SetDefault,
	}
	os.Exit(p.Run(context.Background(), os.Args))
}
