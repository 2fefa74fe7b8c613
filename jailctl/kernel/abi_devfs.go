package kernel

import "unsafe"

// Requests of the rules of devfs, for the root directory of a devfs mount.
const (
	devfsioRAdd     = 0xc0ec4400 // DEVFSIO_RADD, sys/fs/devfs/devfs.h:105
	devfsioRDel     = 0x80044401 // DEVFSIO_RDEL, sys/fs/devfs/devfs.h:106
	devfsioRApply   = 0x80ec4402 // DEVFSIO_RAPPLY, sys/fs/devfs/devfs.h:107
	devfsioRGetNext = 0xc0ec4404 // DEVFSIO_RGETNEXT, sys/fs/devfs/devfs.h:109
	devfsioSGetNext = 0xc002440c // DEVFSIO_SGETNEXT, sys/fs/devfs/devfs.h:113
)

// struct devfs_rule, sys/fs/devfs/devfs.h:66.
const (
	devfsRuleSize    = 236
	devfsMagic       = 0xdb0a087a // DEVFS_MAGIC, sys/fs/devfs/devfs.h:40; another is ERPCMISMATCH
	devfsPatternSize = 200        // DEVFS_MAXPTRNLEN, sys/fs/devfs/devfs.h:80; NUL included, which the kernel doesn't check
	devfsMaxRuleset  = 1<<16 - 1  // devfs_rsnum, sys/fs/devfs/devfs.h:51

	offRuleMagic   = 0   // dr_magic uint32
	offRuleID      = 4   // dr_id uint32: rule | ruleset<<16, sys/fs/devfs/devfs.h:59
	offRuleCond    = 8   // dr_icond int32
	offRulePattern = 16  // dr_pathptrn
	offRuleActs    = 216 // dr_iacts int32
	offRuleBacts   = 220 // dr_bacts int32
	offRuleUID     = 224 // dr_uid uint32
	offRuleGID     = 228 // dr_gid uint32
	offRuleMode    = 232 // dr_mode uint16
	offRuleIncset  = 234 // dr_incset uint16

	devfsCondPattern = 0x02 // DRC_PATHPTRN, sys/fs/devfs/devfs.h:78
	devfsActBacts    = 0x01 // DRA_BACTS, sys/fs/devfs/devfs.h:88
	devfsActUID      = 0x02 // DRA_UID, sys/fs/devfs/devfs.h:89
	devfsActGID      = 0x04 // DRA_GID, sys/fs/devfs/devfs.h:90
	devfsActMode     = 0x08 // DRA_MODE, sys/fs/devfs/devfs.h:91
	devfsActInclude  = 0x10 // DRA_INCSET, sys/fs/devfs/devfs.h:92
	devfsHide        = 0x01 // DRB_HIDE, sys/fs/devfs/devfs.h:94
	devfsUnhide      = 0x02 // DRB_UNHIDE, sys/fs/devfs/devfs.h:95
)

// devfsRule is struct devfs_rule; it only proves the offsets above.
type devfsRule struct {
	magic   uint32
	id      uint32
	cond    int32
	_       int32 // dr_dswflags
	pattern [devfsPatternSize]byte
	acts    int32
	bacts   int32
	uid     uint32
	gid     uint32
	mode    uint16
	incset  uint16
}

var (
	_ [devfsRuleSize]byte  = [unsafe.Sizeof(devfsRule{})]byte{}
	_ [offRuleMagic]byte   = [unsafe.Offsetof(devfsRule{}.magic)]byte{}
	_ [offRuleID]byte      = [unsafe.Offsetof(devfsRule{}.id)]byte{}
	_ [offRuleCond]byte    = [unsafe.Offsetof(devfsRule{}.cond)]byte{}
	_ [offRulePattern]byte = [unsafe.Offsetof(devfsRule{}.pattern)]byte{}
	_ [offRuleActs]byte    = [unsafe.Offsetof(devfsRule{}.acts)]byte{}
	_ [offRuleBacts]byte   = [unsafe.Offsetof(devfsRule{}.bacts)]byte{}
	_ [offRuleUID]byte     = [unsafe.Offsetof(devfsRule{}.uid)]byte{}
	_ [offRuleGID]byte     = [unsafe.Offsetof(devfsRule{}.gid)]byte{}
	_ [offRuleMode]byte    = [unsafe.Offsetof(devfsRule{}.mode)]byte{}
	_ [offRuleIncset]byte  = [unsafe.Offsetof(devfsRule{}.incset)]byte{}
)
