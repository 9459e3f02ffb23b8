package metadata

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCapText(t *testing.T) {
	// Values that Linux 6.18 stored, words that getcap of libcap 2.66 printed.
	for raw, want := range map[string]string{
		"0100000200200000000000000000000000000000":         "cap_net_raw=ep",
		"0000000200200000000000000000000000000000":         "cap_net_raw=p",
		"0000000200000000002000000000000000000000":         "cap_net_raw=i",
		"0100000200200000002000000000000000000000":         "cap_net_raw=eip",
		"0000000200200000002000000000000000000000":         "cap_net_raw=ip",
		"01000002ffffffff00000000ff01000000000000":         "=ep",
		"01000002ffdfffff00000000ff01000000000000":         "=ep cap_net_raw-ep",
		"0000000201200000002000000000000000000000":         "cap_net_raw=ip cap_chown+p",
		"00000002ffffffff01000000ff01000000000000":         "=p cap_chown+i",
		"01000002fefffffffeffffffff010000ff010000":         "=eip cap_chown-eip",
		"0000000200000000000000000000000000000000":         "=",
		"0100000200040000000000000000000000000000":         "cap_net_bind_service=ep",
		"0100000200240000000000000000000000000000":         "cap_net_bind_service,cap_net_raw=ep",
		"0100000300200000000000000000000000000000e8030000": "cap_net_raw=ep [rootid=1000]",
		"010000010020000000000000":                         "cap_net_raw=ep",
		"0100000200000000000000000002000000000000":         "= 41+ep",
		"010000020020000000000000ffffffff00000000": "cap_net_raw,cap_mac_override,cap_mac_admin,cap_syslog,cap_wake_alarm,cap_block_suspend,cap_audit_read,cap_perfmon,cap_bpf,cap_checkpoint_restore=ep" +
			" 41,42,43,44,45,46,47,48,49,50,51,52,53,54,55,56,57,58,59,60,61,62,63+ep",
		"01000004": "0x01000004",
		"":         "0x",
	} {
		b, err := hex.DecodeString(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := CapText(b); got != want {
			t.Errorf("%s: got %q, want %q", raw, got, want)
		}
	}
}

// TestCapTextAgainstGetcap compares with what is installed here.
func TestCapTextAgainstGetcap(t *testing.T) {
	needRoot(t)
	f := file(t, t.TempDir(), "f", 0o755)
	check := func(t *testing.T) {
		v := read(t, f)
		want := strings.TrimPrefix(strings.TrimSpace(tool(t, "getcap", "-n", f)), f+" ")
		if got := CapText(v.Capability()); got != want {
			t.Errorf("got %q, getcap says %q", got, want)
		}
	}
	for _, set := range []string{"cap_net_raw=ep", "cap_net_bind_service,cap_net_raw=ep", "=ep", "all=i", "=p cap_chown+i",
		"cap_chown=p cap_net_raw=ip", "all=ep cap_sys_admin,cap_bpf-ep", "=", "cap_checkpoint_restore=p"} {
		t.Run(set, func(t *testing.T) {
			tool(t, "setcap", set, f)
			check(t)
		})
	}
	t.Run("rootid", func(t *testing.T) {
		tool(t, "setcap", "-n", "1000", "cap_net_raw=ep", f)
		check(t)
	})
	for name := range capabilityNames {
		tool(t, "setcap", capabilityNames[name]+"=p", f)
		if got := CapText(read(t, f).Xattrs[0].Value); got != capabilityNames[name]+"=p" {
			t.Errorf("capability %d is %q", name, got)
		}
	}
	if last, err := os.ReadFile("/proc/sys/kernel/cap_last_cap"); err == nil && strings.TrimSpace(string(last)) == "40" {
		t.Run("beyond the last", func(t *testing.T) {
			raw, _ := hex.DecodeString("0100000200200000002000000006000000000000")
			if err := unix.Setxattr(f, xattrCapability, raw, 0); err != nil {
				t.Skip(err)
			}
			check(t)
		})
	}
}

func FuzzCapText(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if text := CapText(raw); text == "" || !printable(text) {
			t.Fatalf("%x gives %q", raw, text)
		}
	})
}
