// Package image writes small OCI images from a list of files, without a
// registry and without a build tool: what the tests, the demo and the bench run
// in their containers.
//
// The result is a tar stream of an OCI image layout with one image of one layer
// for one platform. "ctr image import", containerd's client.Import and "nerdctl
// load" take it. The same input always gives the same bytes: no times, no host
// names, files in the order of their names.
//
//	guest, err := os.ReadFile("bin/guest")
//	…
//	err = image.Write(w, "example.test/guest:1", platform, image.Guest(guest)...)
//
// The command jailshim/test/image/mkimage does the same for shell scripts.
package image
