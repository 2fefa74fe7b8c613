// Package firewall translates addresses for networks of containers: it lets them out,
// publishes their ports, and does so with the packet filter that the host runs.
//
// A [Driver] keeps what is ours apart from the user's rules and never changes those:
//
//	pf    an anchor jailshim/net-HASH for each network, jailshim/jail-HASH for each
//	      container with published ports. The user's pf.conf must evaluate them: three
//	      lines, which the error of a missing one spells out.
//	ipfw  few rules in a set of their own, with low numbers, that look addresses up in
//	      tables; NAT instances of the kernel. IPv4 only: there is no IPv6 NAT in ipfw.
//	none  nothing: the network is routed.
//
// The hashes are [ID], so that what is left over is found by name. Rules and messages
// to the kernel are built by functions that run on every system; the packages pf and
// ipfw below this one make the calls. The one process that is started is pfctl(8), to
// load rules.
package firewall
