// Package testbed gives tests a real containerd of their own, with our shim, an
// image, containers in it, and the means to see everything that happens and
// everything that is left over.
//
// The parts, from the outside in:
//
//   - A [Daemon] is one containerd process with its folder in the temporary
//     directory: root, state, sockets, configuration, log. It can be killed and
//     started again. Most tests share one; a test that kills its daemon starts
//     its own.
//   - A [Space] is a test's namespace in a daemon. The test's image is in it,
//     its events are recorded, and when the test ends whatever it left running
//     is removed and then the space must be clean: every container's events
//     complete and in order ([Recorder]), and no process, mount, cgroup or jail,
//     bundle, socket or state file left ([Leftovers]).
//   - A [Container] is a container with its init process; a [Process] is the
//     init or an exec, with what it wrote.
//
// Everything a test waits for has a deadline and a name, see [Until]. A program
// that isn't built fails the test and names the command that builds it. Only
// [Require] skips, and it never does with E2E_REQUIRE=1.
//
// Package [daemon] runs the containerd and finds what is left over; what else
// differs between systems is in host_linux.go and host_freebsd.go.
//
// Environment:
//
//	E2E_RUNTIME      runtime name under test; default io.containerd.jail.v2
//	E2E_OCI_RUNTIME  run containers through this OCI command (its path, or the name
//	                 of a program in JAILSHIM_BIN), not as the shim does by default
//	E2E_SNAPSHOTTER  default: overlayfs on Linux, native on FreeBSD
//	E2E_ZFS          for E2E_SNAPSHOTTER=zfs, which is containerd's own: a dataset
//	                 below which the daemons make theirs
//	E2E_REQUIRE=1    a missing requirement fails the test instead of skipping it
//	E2E_PATIENCE     how long to wait for what should happen at once; default 30s
//	E2E_LIVES        how many containers the tests about many make; default 200
//	E2E_KEEP=1       keep the daemons' folders, and say where they are
//	E2E_LOGS         a folder to copy the daemons' logs to
//	JAILSHIM_BIN     where our programs and tools/<os>-<arch> are; default: bin of
//	                 the repository
//	E2E_PREBUILT=1   take the tests' own programs from there too: build nothing
package testbed
