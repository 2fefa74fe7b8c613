// Package ipfw speaks to ipfw(4) and its NAT by getsockopt(2) and setsockopt(2), as
// ipfw(8) does: rules, flow tables and NAT instances.
//
// Messages are encoded and decoded by functions that run on every system (rule.go,
// table.go, nat.go, numbers and layouts in abi_ip_fw.go). References to the kernel are
// to its source tree at 15.1-STABLE, __FreeBSD_version 1501501. The form is that of
// IP_FW3_OPVER_1, which came with 15.0; releases before refuse it: see [ErrOld].
package ipfw
