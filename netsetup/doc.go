// Package netsetup gives containers their networks: a bridge for each network of the
// configuration, and for each container an epair between the bridge and the
// container's own network stack (VNET), with addresses, routes, published ports and
// names.
//
// A container's place in a network is an [Attachment]:
//
//	Reserve   the network is made if it is not there; addresses, ports and names are
//	          taken; nothing of the container is in the kernel yet
//	Attach    epair made, joined to the bridge, moved into the jail; ports published.
//	          Returns what a process of the jail must do itself
//	Detach    epair destroyed, the host's end first; ports, names, addresses given back
//	GC        the same for all whose containers are gone
//
// The caller stores the Attachment before it calls Attach. Detach needs nothing else,
// may be repeated, and undoes what a process that was killed in the middle left, after
// a reboot too. Steps in which a test can fail or kill the process are in [Points].
//
// What is ours is found again by name: the host's end of an epair is called after a
// hash of its container and network. While an interface has the kernel's name still,
// its number is one that the kernel itself gives nobody, and a lock of the machine is
// held, so that whatever has such a name without the lock is a dead process's.
//
//	Manager ── networks (network.go, remove.go): records under RunDir, gone at reboot
//	   │  └─── attachments (reserve.go, attach.go, detach.go, gc.go)
//	   │  └─── interfaces moved as they are (move.go), addresses on the host's (alias.go)
//	   ├── config   what networks there are
//	   ├── lease    addresses, under StateDir; survive a reboot
//	   ├── port     published ports; names: hosts files; under RunDir
//	   ├── firewall translation of addresses
//	   └── link     interfaces, addresses, routes
//
// Locks, each held for some milliseconds: that of the networks' records, with those of
// the leases, ports and names inside; that of fresh interfaces, innermost. All are files,
// for processes and goroutines alike. A [Manager] is safe for concurrent use.
package netsetup
