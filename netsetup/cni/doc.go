// Package cni answers the CNI protocol, specification 1.1.0, with the networks of
// package netsetup: the plugin "jail-bridge", for podman and for a containerd whose
// pods are VNET jails. CNI_NETNS is the name of a jail with a network stack of its own.
//
// Its part of a network configuration:
//
//	{
//	  "cniVersion": "1.1.0", "name": "pods", "type": "jail-bridge",
//	  "network": "default",   // of jailshim.toml; else the network that "name" names
//	  "config": "/usr/local/etc/jailshim.toml",
//	  "capabilities": {"portMappings": true, "ips": true, "mac": true}
//	}
//
// ADD takes what it needs, records it, and attaches the jail; DEL and GC work from the
// record, whatever has become of the jail. What must be done in the jail's own stack, a
// copy of the plugin's program does there: a process that has entered a jail cannot
// come back to undo what it did on the host.
package cni
