// Package config reads the networks of a machine from one TOML file:
//
//	# The network "default" is there without a file, just so. A file may change it.
//	[networks.default]
//	subnets = ["10.88.0.0/16", "fd00:88::/64"] # at most one of each family
//	mtu = 1500
//	nat = "auto"        # auto: the firewall that the host runs; pf, ipfw, none
//
//	[networks.web]
//	subnets = ["192.0.2.0/24"]      # needed in every other network
//	gateways = ["192.0.2.1"]        # of the bridge; else the first address of each subnet
//	ranges = ["192.0.2.100-192.0.2.199"] # addresses for those who ask for none; else all
//	bridge = "web0"                 # else js-NAME
//	isolate = true                  # containers of the network can't reach each other
//
//	[[networks.web.routes]]         # besides the default route
//	destination = "198.51.100.0/24"
//	gateway = "192.0.2.254"
//
//	[networks.web.dns]              # else what the host's /etc/resolv.conf says
//	servers = ["192.0.2.53"]
//	search = ["example.org"]
//	options = ["ndots:2"]
//
// Keys that are not listed here are errors, as is everything that cannot work:
// overlapping subnets, subnets with host bits or without room, unusable names.
package config
