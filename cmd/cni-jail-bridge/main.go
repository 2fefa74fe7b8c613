// Command cni-jail-bridge is a CNI plugin for jails with a network stack of their own;
// see package netsetup/cni.
package main

import (
	"context"
	"fmt"
	"os"

	"jailshim/netsetup"
	"jailshim/netsetup/cni"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == cni.InsideArg {
		if err := cni.Inside(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	p := &cni.Plugin{
		RunDir: cni.RunDir,
		Jails:  cni.Kernel{Program: self},
		Open: func(file string) (cni.Networks, error) {
			return netsetup.Open(netsetup.Options{Config: file})
		},
	}
	os.Exit(p.Main(context.Background(), os.Getenv, os.Stdin, os.Stdout))
}
