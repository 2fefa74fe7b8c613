// Package version holds the release that the binaries report.
package version

// Version is the release, set at link time
// (-ldflags "-X jailshim/internal/version.Version=v0.1.0").
var Version = "devel"
