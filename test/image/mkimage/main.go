// Mkimage writes the guest's image to a file, for shell scripts:
//
//	mkimage -guest bin/guest -platform linux/amd64 -name example.test/guest:1 -o guest.tar
//	ctr image import guest.tar
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"jailshim/test/image"
)

func main() {
	guest := flag.String("guest", "", "the built guest program (jailshim/test/guest, CGO_ENABLED=0)")
	platform := flag.String("platform", runtime.GOOS+"/"+runtime.GOARCH, "system/architecture the guest was built for")
	name := flag.String("name", "example.test/guest:1", "full reference the image gets on import")
	out := flag.String("o", "", "file to write")
	flag.Parse()
	if *guest == "" || *out == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*guest, *platform, *name, *out); err != nil {
		fmt.Fprintln(os.Stderr, "mkimage:", err)
		os.Exit(1)
	}
}

func run(guest, platform, name, out string) (retErr error) {
	goos, arch, ok := strings.Cut(platform, "/")
	if !ok {
		return fmt.Errorf("platform %q: want system/architecture, as in linux/amd64", platform)
	}
	binary, err := os.ReadFile(guest)
	if err != nil {
		return err
	}
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	defer func() {
		retErr = errors.Join(retErr, f.Close())
		if retErr != nil {
			retErr = errors.Join(retErr, os.Remove(out))
		}
	}()
	return image.Write(f, name, ocispec.Platform{OS: goos, Architecture: arch}, image.Guest(binary)...)
}
