package kernel

// The system calls that this package makes. golang.org/x/sys knows the numbers
// up to 575; all are here, so that one list tells what is asked of the kernel.
const (
	sysExit              = 1   // SYS__exit, sys/sys/syscall.h:10
	sysFork              = 2   // SYS_fork, sys/sys/syscall.h:11
	sysRead              = 3   // SYS_read, sys/sys/syscall.h:12
	sysWrite             = 4   // SYS_write, sys/sys/syscall.h:13
	sysClose             = 6   // SYS_close, sys/sys/syscall.h:15
	sysChdir             = 12  // SYS_chdir, sys/sys/syscall.h:21
	sysFchdir            = 13  // SYS_fchdir, sys/sys/syscall.h:22
	sysGetpid            = 20  // SYS_getpid, sys/sys/syscall.h:29
	sysUnmount           = 22  // SYS_unmount, sys/sys/syscall.h:31
	sysIoctl             = 54  // SYS_ioctl, sys/sys/syscall.h:63
	sysExecve            = 59  // SYS_execve, sys/sys/syscall.h:68
	sysUmask             = 60  // SYS_umask, sys/sys/syscall.h:69
	sysSetgroups14       = 80  // SYS_freebsd14_setgroups, sys/sys/syscall.h:89; plain setgroups up to 14
	sysFcntl             = 92  // SYS_fcntl, sys/sys/syscall.h:100
	sysSocket            = 97  // SYS_socket, sys/sys/syscall.h:104
	sysSetsid            = 147 // SYS_setsid, sys/sys/syscall.h:153
	sysSysarch           = 165 // SYS_sysarch, sys/sys/syscall.h:167
	sysSetrlimit         = 195 // SYS_setrlimit, sys/sys/syscall.h:189
	sysSysctl            = 202 // SYS___sysctl, sys/sys/syscall.h:196
	sysMinherit          = 250 // SYS_minherit, sys/sys/syscall.h:230
	sysModfind           = 303 // SYS_modfind, sys/sys/syscall.h:254
	sysKldload           = 304 // SYS_kldload, sys/sys/syscall.h:255
	sysSetresuid         = 311 // SYS_setresuid, sys/sys/syscall.h:262
	sysSetresgid         = 312 // SYS_setresgid, sys/sys/syscall.h:263
	sysSigprocmask       = 340 // SYS_sigprocmask, sys/sys/syscall.h:291
	sysNmount            = 378 // SYS_nmount, sys/sys/syscall.h:328
	sysSigaction         = 416 // SYS_sigaction, sys/sys/syscall.h:365
	sysJailAttach        = 436 // SYS_jail_attach, sys/sys/syscall.h:382
	sysMmap              = 477 // SYS_mmap, sys/sys/syscall.h:419
	sysCpusetSetid       = 485 // SYS_cpuset_setid, sys/sys/syscall.h:427
	sysCpusetGetaffinity = 487 // SYS_cpuset_getaffinity, sys/sys/syscall.h:429
	sysCpusetSetaffinity = 488 // SYS_cpuset_setaffinity, sys/sys/syscall.h:430
	sysPosixOpenpt       = 504 // SYS_posix_openpt, sys/sys/syscall.h:446
	sysJailGet           = 506 // SYS_jail_get, sys/sys/syscall.h:448
	sysJailSet           = 507 // SYS_jail_set, sys/sys/syscall.h:449
	sysJailRemove        = 508 // SYS_jail_remove, sys/sys/syscall.h:450
	sysSetloginclass     = 524 // SYS_setloginclass, sys/sys/syscall.h:465
	sysRctlGetRacct      = 525 // SYS_rctl_get_racct, sys/sys/syscall.h:466
	sysRctlGetRules      = 526 // SYS_rctl_get_rules, sys/sys/syscall.h:467
	sysRctlAddRule       = 528 // SYS_rctl_add_rule, sys/sys/syscall.h:469
	sysRctlRemoveRule    = 529 // SYS_rctl_remove_rule, sys/sys/syscall.h:470
	sysWait6             = 532 // SYS_wait6, sys/sys/syscall.h:473
	sysAccept4           = 541 // SYS_accept4, sys/sys/syscall.h:482
	sysProcctl           = 544 // SYS_procctl, sys/sys/syscall.h:485
	sysFstatat           = 552 // SYS_fstatat, sys/sys/syscall.h:493
	sysStatfs            = 555 // SYS_statfs, sys/sys/syscall.h:496
	sysFstatfs           = 556 // SYS_fstatfs, sys/sys/syscall.h:497
	sysGetfsstat         = 557 // SYS_getfsstat, sys/sys/syscall.h:498
	sysCpusetGetdomain   = 561 // SYS_cpuset_getdomain, sys/sys/syscall.h:502
	sysCpusetSetdomain   = 562 // SYS_cpuset_setdomain, sys/sys/syscall.h:503
	sysCloseRange        = 575 // SYS_close_range, sys/sys/syscall.h:516
	sysJailAttachJD      = 597 // SYS_jail_attach_jd, sys/sys/syscall.h:538; since 15.0
	sysJailRemoveJD      = 598 // SYS_jail_remove_jd, sys/sys/syscall.h:539; since 15.0
)

// amd64GetFsbase is a command of sysarch(2): the end of a thread's local memory.
const amd64GetFsbase = 128 // AMD64_GET_FSBASE, sys/x86/include/sysarch.h:57

// What a child gets of its parent's memory, minherit(2).
const (
	inheritCopy = 1 // INHERIT_COPY, sys/sys/mman.h:43
	inheritNone = 2 // INHERIT_NONE, sys/sys/mman.h:44
)
