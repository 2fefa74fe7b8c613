// Package zfstest gives tests a real ZFS: on FreeBSD the kernel's, on Linux a zfs-fuse
// of the test process's own. Each [Pool] is a file, and goes with its test.
//
// A package's TestMain must be
//
//	func TestMain(m *testing.M) { os.Exit(zfstest.Main(m)) }
//
// zfs-fuse has its socket, its lock and its list of pools at fixed paths. So [Main]
// starts the test program again in a mount namespace of its own, where these are
// empty, and many such programs can run at the same time. What the tests mount is
// seen by the test program alone. zfs-fuse is started by the first test that needs
// it, and ended by Main.
//
// [Kill] ends zfs-fuse as a power failure would: what was not in a synced transaction
// group is lost. [Restart] brings it and all pools back.
package zfstest
