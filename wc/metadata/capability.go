package metadata

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// capabilityNames are the names of linux/capability.h, by number, as
// capabilities(7) and libcap write them.
var capabilityNames = [...]string{
	0: "cap_chown", 1: "cap_dac_override", 2: "cap_dac_read_search", 3: "cap_fowner",
	4: "cap_fsetid", 5: "cap_kill", 6: "cap_setgid", 7: "cap_setuid",
	8: "cap_setpcap", 9: "cap_linux_immutable", 10: "cap_net_bind_service", 11: "cap_net_broadcast",
	12: "cap_net_admin", 13: "cap_net_raw", 14: "cap_ipc_lock", 15: "cap_ipc_owner",
	16: "cap_sys_module", 17: "cap_sys_rawio", 18: "cap_sys_chroot", 19: "cap_sys_ptrace",
	20: "cap_sys_pacct", 21: "cap_sys_admin", 22: "cap_sys_boot", 23: "cap_sys_nice",
	24: "cap_sys_resource", 25: "cap_sys_time", 26: "cap_sys_tty_config", 27: "cap_mknod",
	28: "cap_lease", 29: "cap_audit_write", 30: "cap_audit_control", 31: "cap_setfcap",
	32: "cap_mac_override", 33: "cap_mac_admin", 34: "cap_syslog", 35: "cap_wake_alarm",
	36: "cap_block_suspend", 37: "cap_audit_read", 38: "cap_perfmon", 39: "cap_bpf",
	40: "cap_checkpoint_restore",
}

// capabilityName returns the name of capability n, or its number.
func capabilityName(n int) string {
	if n < len(capabilityNames) {
		return capabilityNames[n]
	}
	return strconv.Itoa(n)
}

// capability is a decoded struct vfs_ns_cap_data of linux/capability.h. Bit n
// of a set is capability n.
type capability struct {
	permitted, inheritable uint64
	effective              bool   // of all that are permitted or inheritable
	rootID                 uint32 // root of the user namespace they hold in
}

// parseCapability reads the three revisions there have been, each with its
// one size: revision 1 has 32 capabilities, 2 has 64, 3 adds the root id.
func parseCapability(raw []byte) (c capability, err error) {
	const effective = 1
	if len(raw) < 4 {
		return c, errors.New("too short for file capabilities")
	}
	word := func(i int) uint64 { return uint64(binary.LittleEndian.Uint32(raw[4*i:])) }
	c.effective = word(0)&effective != 0
	switch revision := raw[3]; {
	case revision == 1 && len(raw) == 12:
		c.permitted, c.inheritable = word(1), word(2)
	case revision == 2 && len(raw) == 20, revision == 3 && len(raw) == 24:
		c.permitted, c.inheritable = word(1)|word(3)<<32, word(2)|word(4)<<32
		if revision == 3 {
			c.rootID = uint32(word(5))
		}
	default:
		return c, fmt.Errorf("file capabilities of revision %d have %d bytes", revision, len(raw))
	}
	return c, nil
}

// sets returns, for each of the eight states a capability can be in, those that
// are in it. A state is a sum of 1 for effective, 2 for inheritable, 4 for
// permitted: libcap's weights, which decide the order of the clauses.
func (c capability) sets() (set [8]uint64) {
	var effective uint64
	if c.effective {
		effective = c.permitted | c.inheritable
	}
	for state := range set {
		in := ^uint64(0)
		for i, caps := range [...]uint64{effective, c.inheritable, c.permitted} {
			if state&(1<<i) == 0 {
				caps = ^caps
			}
			in &= caps
		}
		set[state] = in
	}
	return set
}

// CapText writes the value of security.capability as getcap(8) does: as
// cap_net_raw=ep, with " [rootid=N]" after it for capabilities that hold in
// another user namespace only. The form is that of cap_text_formats(7): first
// the state most capabilities are in, unless that is none, then what differs.
// Capabilities newer than this table stand as numbers. A value that is no
// capability is written in hexadecimal.
func CapText(raw []byte) string {
	c, err := parseCapability(raw)
	if err != nil {
		return fmt.Sprintf("0x%x", raw)
	}
	set := c.sets()
	const named = 1<<len(capabilityNames) - 1
	base := 0
	for state := range set {
		if bits.OnesCount64(set[state]&named) > bits.OnesCount64(set[base]&named) {
			base = state
		}
	}
	clauses := []string{"=" + capFlags(base)}
	for state := len(set) - 1; state >= 0; state-- {
		if caps := set[state] & named; caps != 0 && state != base {
			clauses = append(clauses, capList(caps)+capChange("+", state&^base)+capChange("-", base&^state))
		}
	}
	if base == 0 && len(clauses) > 1 {
		// "= cap_net_raw+ep" is written shorter.
		clauses = clauses[1:]
		clauses[0] = strings.Replace(clauses[0], "+", "=", 1)
	}
	for state := len(set) - 1; state > 0; state-- {
		if caps := set[state] &^ named; caps != 0 {
			clauses = append(clauses, capList(caps)+capChange("+", state))
		}
	}
	if c.rootID != 0 {
		clauses = append(clauses, fmt.Sprintf("[rootid=%d]", c.rootID))
	}
	return strings.Join(clauses, " ")
}

func capFlags(state int) string {
	var b strings.Builder
	for i, c := range []byte("eip") {
		if state&(1<<i) != 0 {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func capChange(op string, state int) string {
	if state == 0 {
		return ""
	}
	return op + capFlags(state)
}

func capList(caps uint64) string {
	var names []string
	for ; caps != 0; caps &= caps - 1 {
		names = append(names, capabilityName(bits.TrailingZeros64(caps)))
	}
	return strings.Join(names, ",")
}
