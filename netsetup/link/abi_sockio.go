package link

// Requests of sys/sys/sockio.h, for a datagram socket of the family that they are
// about; those that are about no addresses take any.
const (
	siocSIFFlags   = 0x80206910 // SIOCSIFFLAGS, sys/sys/sockio.h:57
	siocGIFFlags   = 0xc0206911 // SIOCGIFFLAGS, sys/sys/sockio.h:58
	siocDIFAddr    = 0x80206919 // SIOCDIFADDR, sys/sys/sockio.h:69
	siocSIFCap     = 0x8020691e // SIOCSIFCAP, sys/sys/sockio.h:74
	siocGIFCap     = 0xc020691f // SIOCGIFCAP, sys/sys/sockio.h:75
	siocSIFName    = 0x80206928 // SIOCSIFNAME, sys/sys/sockio.h:79
	siocSIFDescr   = 0x80206929 // SIOCSIFDESCR, sys/sys/sockio.h:80
	siocGIFDescr   = 0xc020692a // SIOCGIFDESCR, sys/sys/sockio.h:81
	siocSIFMTU     = 0x80206934 // SIOCSIFMTU, sys/sys/sockio.h:89
	siocSIFLLAddr  = 0x8020693c // SIOCSIFLLADDR, sys/sys/sockio.h:99
	siocSIFVNet    = 0xc020695a // SIOCSIFVNET, sys/sys/sockio.h:113
	siocSIFRVNet   = 0xc020695b // SIOCSIFRVNET, sys/sys/sockio.h:114
	siocIFDestroy  = 0x80206979 // SIOCIFDESTROY, sys/sys/sockio.h:129
	siocSDrvSpec   = 0x8028697b // SIOCSDRVSPEC, sys/sys/sockio.h:122
	siocGDrvSpec   = 0xc028697b // SIOCGDRVSPEC, sys/sys/sockio.h:124
	siocIFCreate2  = 0xc020697c // SIOCIFCREATE2, sys/sys/sockio.h:128
	siocAIFGroup   = 0x80286987 // SIOCAIFGROUP, sys/sys/sockio.h:132
	siocAIFAddrIn6 = 0x8088691b // SIOCAIFADDR_IN6, sys/netinet6/in6_var.h:444
	siocDIFAddrIn6 = 0x81206919 // SIOCDIFADDR_IN6, sys/netinet6/in6_var.h:442
	siocGIFInfoIn6 = 0xc048696c // SIOCGIFINFO_IN6, sys/netinet6/in6_var.h:455
	siocSIFInfoIn6 = 0xc048696d // SIOCSIFINFO_IN6, sys/netinet6/in6_var.h:456
	// siocAIFAddr is not the number of golang.org/x/sys, which is that of
	// FreeBSD 9 (OSIOCAIFADDR, sys/sys/sockio.h:70) with a shorter argument.
	siocAIFAddr = 0x8044692b // SIOCAIFADDR, sys/sys/sockio.h:82
)
