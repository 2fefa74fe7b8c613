// Package lease hands out the addresses of networks. Leases are on disk, one file for
// each network, under one lock, so that no two containers get one address, however
// many processes ask and whenever they die.
//
// An address is the next free one after that given out last: one that was just given
// back is not used again at once, while neighbours still hold it in their ARP caches.
package lease
