package kernel

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"testing"
)

// An ioctl's number holds the direction and the size of its argument
// (_IOC, sys/sys/ioccom.h:59), so a structure of another size is another number.
func TestIoctlNumbers_HoldTheSizes(t *testing.T) {
	const (
		void = 0x20000000 // IOC_VOID, sys/sys/ioccom.h:53
		out  = 0x40000000 // IOC_OUT, sys/sys/ioccom.h:54
		in   = 0x80000000 // IOC_IN, sys/sys/ioccom.h:55
	)
	for _, c := range []struct {
		name          string
		got           uint32
		direction     uint32
		group         byte
		number, bytes uint32
	}{
		{"DEVFSIO_RADD", devfsioRAdd, in | out, 'D', 0, devfsRuleSize},
		{"DEVFSIO_RDEL", devfsioRDel, in, 'D', 1, 4},
		{"DEVFSIO_RAPPLY", devfsioRApply, in, 'D', 2, devfsRuleSize},
		{"DEVFSIO_RGETNEXT", devfsioRGetNext, in | out, 'D', 4, devfsRuleSize},
		{"DEVFSIO_SGETNEXT", devfsioSGetNext, in | out, 'D', 12, 2},
		{"TIOCGPTN", tiocGPTN, out, 't', 15, 4},
		{"TIOCSCTTY", tiocSCTTY, void, 't', 97, 0},
		{"TIOCSWINSZ", tiocSWINSZ, in, 't', 103, winsizeSize},
	} {
		want := c.direction | c.bytes<<16 | uint32(c.group)<<8 | c.number
		if c.got != want {
			t.Errorf("%s = %#x, want %#x", c.name, c.got, want)
		}
	}
}

// A second entry of the numbers that no other test pins down: a slip in one of them
// is another system call, or another command of one, and shows on FreeBSD only.
func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want int
	}{
		{"SYS_unmount", sysUnmount, 22},
		{"SYS__exit", sysExit, 1},
		{"SYS_fork", sysFork, 2},
		{"SYS_read", sysRead, 3},
		{"SYS_write", sysWrite, 4},
		{"SYS_close", sysClose, 6},
		{"SYS_chdir", sysChdir, 12},
		{"SYS_getpid", sysGetpid, 20},
		{"SYS_execve", sysExecve, 59},
		{"SYS_umask", sysUmask, 60},
		{"SYS_minherit", sysMinherit, 250},
		{"SYS_mmap", sysMmap, 477},
		{"KERN_PROC_VMMAP", kernProcVMMap, 32},
		{"PROT_READ", protRead, 1},
		{"PROT_EXEC", protExec, 4},
		{"MAP_PRIVATE", mapPrivate, 2},
		{"MAP_FIXED", mapFixed, 0x10},
		{"INHERIT_COPY", inheritCopy, 1},
		{"INHERIT_NONE", inheritNone, 2},
		{"SYS_sigprocmask", sysSigprocmask, 340},
		{"SYS_sigaction", sysSigaction, 416},
		{"SIG_BLOCK", sigBlock, 1},
		{"SIG_SETMASK", sigSetmask, 3},
		{"SIG_IGN", sigIgn, 1},
		{"SIGTHR", lastSignal, 32},
		{"SYS_fcntl", sysFcntl, 92},
		{"SYS_socket", sysSocket, 97},
		{"SYS_setsid", sysSetsid, 147},
		{"SYS_sysarch", sysSysarch, 165},
		{"AMD64_GET_FSBASE", amd64GetFsbase, 128},
		{"SYS_setresuid", sysSetresuid, 311},
		{"SYS_setresgid", sysSetresgid, 312},
		{"SYS_accept4", sysAccept4, 541},
		{"SYS_fstatat", sysFstatat, 552},
		{"SYS_ioctl", sysIoctl, 54},
		{"SYS_freebsd14_setgroups", sysSetgroups14, 80},
		{"SYS_setrlimit", sysSetrlimit, 195},
		{"SYS___sysctl", sysSysctl, 202},
		{"SYS_modfind", sysModfind, 303},
		{"SYS_kldload", sysKldload, 304},
		{"SYS_nmount", sysNmount, 378},
		{"SYS_jail_attach", sysJailAttach, 436},
		{"SYS_cpuset_setid", sysCpusetSetid, 485},
		{"SYS_cpuset_getaffinity", sysCpusetGetaffinity, 487},
		{"SYS_cpuset_setaffinity", sysCpusetSetaffinity, 488},
		{"SYS_posix_openpt", sysPosixOpenpt, 504},
		{"SYS_jail_get", sysJailGet, 506},
		{"SYS_jail_set", sysJailSet, 507},
		{"SYS_jail_remove", sysJailRemove, 508},
		{"SYS_setloginclass", sysSetloginclass, 524},
		{"SYS_rctl_get_racct", sysRctlGetRacct, 525},
		{"SYS_rctl_get_rules", sysRctlGetRules, 526},
		{"SYS_rctl_add_rule", sysRctlAddRule, 528},
		{"SYS_rctl_remove_rule", sysRctlRemoveRule, 529},
		{"SYS_wait6", sysWait6, 532},
		{"SYS_procctl", sysProcctl, 544},
		{"SYS_statfs", sysStatfs, 555},
		{"SYS_getfsstat", sysGetfsstat, 557},
		{"SYS_cpuset_getdomain", sysCpusetGetdomain, 561},
		{"SYS_cpuset_setdomain", sysCpusetSetdomain, 562},
		{"SYS_close_range", sysCloseRange, 575},
		{"SYS_jail_attach_jd", sysJailAttachJD, 597},
		{"SYS_jail_remove_jd", sysJailRemoveJD, 598},

		{"JAIL_CREATE", jailCreate, 1},
		{"JAIL_UPDATE", jailUpdate, 2},
		{"JAIL_DYING", jailDying, 8},
		{"JAIL_USE_DESC", jailUseDesc, 16},
		{"JAIL_GET_DESC", jailGetDesc, 64},
		{"release of the descriptors", firstDescriptorRelease, 1500000},

		{"MNT_BYFSID", mountByFSID, 1 << 27},
		{"MNT_NOWAIT", mountNoWait, 2},

		{"PROC_REAP_ACQUIRE", procReapAcquire, 2},
		{"PROC_REAP_STATUS", procReapStatus, 4},
		{"PROC_REAP_GETPIDS", procReapGetpids, 5},
		{"PROC_REAP_KILL", procReapKill, 6},
		{"PROC_NO_NEW_PRIVS_CTL", procNoNewPrivsCtl, 19},
		{"PROC_NO_NEW_PRIVS_ENABLE", procNoNewPrivsEnable, 1},
		{"struct procctl_reaper_pids", reaperPidsSize, 72},
		{"rp_count", offPidsCount, 0},
		{"rp_pids", offPidsPids, 64},

		{"P_PID", idPID, 0},
		{"P_ALL", idAll, 7},
		{"P_JAILID", idJailID, 12},
		{"WNOHANG", waitNoHang, 1},
		{"WNOWAIT", waitNoWait, 8},
		{"WEXITED", waitExited, 16},

		{"CPU_LEVEL_WHICH", cpuLevelWhich, 3},
		{"CPU_WHICH_PID", cpuWhichPID, 2},
		{"CPU_WHICH_JAIL", cpuWhichJail, 5},
		{"the default set of CPUs", cpusetDefault, 1},

		{"CTL_SYSCTL", ctlSysctl, 0},
		{"CTL_KERN", ctlKern, 1},
		{"CTL_SYSCTL_NAME", sysctlName, 1},
		{"CTL_SYSCTL_NEXT", sysctlNext, 2},
		{"CTL_SYSCTL_NAME2OID", sysctlName2OID, 3},
		{"CTL_SYSCTL_OIDFMT", sysctlOIDFmt, 4},
		{"KERN_PROC", kernProc, 14},
		{"KERN_BOOTTIME", kernBoottime, 21},
		{"KERN_OSRELDATE", kernOsreldate, 24},
		{"KERN_PROC_PID", kernProcPID, 1},
		{"KERN_PROC_PROC", kernProcProc, 8},
		{"KERN_PROC_ARGS", kernProcArgs, 7},

		{"F_DUP2FD", fDup2FD, 10},
		{"F_DUP2FD_CLOEXEC", fDup2FDCloexec, 18},
		{"AT_FDCWD", atFDCWD, -100},
		{"SOCK_CLOEXEC", sockCloexec, 1 << 28},
		{"struct stat", statSize, 224},
		{"st_mode", offStatMode, 24},
	} {
		if c.got != c.want {
			t.Errorf("%s = %d, want %d", c.name, c.got, c.want)
		}
	}
}

// A number without its place in the kernel's source can't be checked by anybody.
func TestABIFiles_NameTheirSource(t *testing.T) {
	files, err := filepath.Glob("abi_*.go")
	if err != nil || len(files) < 10 {
		t.Fatalf("found %v, %v", files, err)
	}
	source := regexp.MustCompile(`(sys|lib)/[a-z0-9_/]+\.[ch]:[0-9]+`)
	for _, name := range files {
		if filepath.Ext(name) != ".go" || name == "abi_test.go" {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			group, ok := d.(*ast.GenDecl)
			if !ok || group.Tok != token.CONST {
				continue
			}
			for _, s := range group.Specs {
				c := s.(*ast.ValueSpec)
				text := group.Doc.Text() + c.Doc.Text() + c.Comment.Text()
				if !source.MatchString(text) {
					t.Errorf("%v: %s does not say where the kernel has it", fset.Position(c.Pos()), c.Names[0])
				}
			}
		}
	}
}
