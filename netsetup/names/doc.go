// Package names makes the files by which containers find others: /etc/hosts and
// /etc/resolv.conf. A [Registry] keeps one hosts file for each network; containers
// have it mounted, so it is rewritten in place, never replaced: who reads it in one
// call sees the old contents or the new.
package names
