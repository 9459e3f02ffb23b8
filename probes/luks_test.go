package probes

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"rootwc/internal/odds"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestLUKS formats images with random options and compares each field with
// what was asked for, and with what cryptsetup says.
func TestLUKS(t *testing.T) {
	need(t, "cryptsetup")
	for round := range odds.Rounds(25) {
		t.Run(strconv.Itoa(round), func(t *testing.T) {
			t.Parallel()
			r := odds.Dice(round)
			path := blankImage(t, 40<<20)
			var want *LUKS
			id := ID(odds.UUID(r))
			if r.IntN(3) == 0 {
				want = formatLUKS1(t, r, path, id)
			} else {
				want = formatLUKS2(t, r, path, id)
			}
			f, size := open(t, path)
			got, l, findings, err := readLUKS(f, size)
			if err != nil {
				t.Fatal(err)
			}
			if got != id || len(findings) > 0 {
				t.Errorf("UUID %s, should be %s; %v", got, id, findings)
			}
			if !reflect.DeepEqual(l, want) {
				t.Errorf("got  %s\nwant %s", showLUKS(l), showLUKS(want))
			}
			compareLUKS(t, path, got, l)
		})
	}
}

func showLUKS(l *LUKS) string {
	b, _ := json.MarshalIndent(l, "", " ")
	return string(b)
}

// secret writes a passphrase file.
func secret(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

type cipherSpec struct {
	name string
	bits []int
}

// Not every kernel has more than AES where cryptsetup works without
// device-mapper; the guest's has.
var ciphers = []cipherSpec{
	{"aes-xts-plain64", []int{256, 512}}, {"aes-cbc-essiv:sha256", []int{128, 256}}, {"aes-xts-plain", []int{512}}, {"aes-cbc-plain", []int{128}},
}

func formatLUKS1(t *testing.T, r *rand.Rand, path string, id ID) *LUKS {
	cipher := odds.Pick(r, ciphers...)
	l := &LUKS{
		Version: 1, Cipher: cipher.name, KeyBits: odds.Pick(r, cipher.bits...), Hash: odds.Pick(r, "sha1", "sha256", "sha512", "ripemd160"),
		Sector: 512, Offset: uint64(odds.Pick(r, 4096, 8192, 16384)) * 512, Slot: map[ID]*Keyslot{},
	}
	first := r.IntN(8)
	slot := func(n int, hash string) *Keyslot {
		s := &Keyslot{KDF: "pbkdf2", Hash: hash, Time: 1000 + r.IntN(5000)}
		l.Slot[ID(strconv.Itoa(n))] = s
		return s
	}
	key := secret(t, "zero")
	tool(t, "", "cryptsetup", "--batch-mode", "luksFormat", "--type", "luks1", "--uuid", string(id), "--cipher", l.Cipher, "--key-size", fmt.Sprint(l.KeyBits),
		"--hash", l.Hash, "--align-payload", fmt.Sprint(l.Offset/512), "--key-slot", fmt.Sprint(first),
		"--pbkdf-force-iterations", fmt.Sprint(slot(first, l.Hash).Time), path, key)
	for _, n := range r.Perm(8)[:r.IntN(3)] {
		if n != first {
			tool(t, "", "cryptsetup", "--batch-mode", "luksAddKey", "--key-file", key, "--key-slot", fmt.Sprint(n),
				"--pbkdf-force-iterations", fmt.Sprint(slot(n, l.Hash).Time), path, secret(t, "other"))
		}
	}
	return l
}

func formatLUKS2(t *testing.T, r *rand.Rand, path string, id ID) *LUKS {
	cipher := odds.Pick(r, ciphers...)
	l := &LUKS{
		Version: 2, Cipher: cipher.name, KeyBits: odds.Pick(r, cipher.bits...), Hash: odds.Pick(r, "sha256", "sha512", "sha1"), Sector: uint64(odds.Pick(r, 512, 4096)),
		Metadata: uint64(16<<10) << r.IntN(4), Keyslots: uint64(4+r.IntN(5)) << 20, Offset: uint64(16+r.IntN(8)) << 20,
		Slot: map[ID]*Keyslot{}, Token: map[ID]*LUKSToken{},
	}
	names := slices.DeleteFunc(slices.Clone(odds.Hostile), func(s string) bool { return len(s) > 47 || strings.HasPrefix(s, "-") })
	l.Label, l.Subsystem = odds.Pick(r, names...), odds.Pick(r, names...)
	first := r.IntN(16)
	slot, args := randomKeyslot(r, l)
	l.Slot[ID(strconv.Itoa(first))] = slot
	slot.AFHash = l.Hash
	if slot.KDF == "pbkdf2" {
		slot.Hash = l.Hash
	}
	key := secret(t, "zero")
	format := []string{"cryptsetup", "--batch-mode", "luksFormat", "--type", "luks2", "--uuid", string(id), "--label", l.Label, "--subsystem", l.Subsystem,
		"--cipher", l.Cipher, "--key-size", fmt.Sprint(l.KeyBits), "--sector-size", fmt.Sprint(l.Sector), "--hash", l.Hash, "--offset", fmt.Sprint(l.Offset / 512),
		"--luks2-metadata-size", fmt.Sprint(l.Metadata), "--luks2-keyslots-size", fmt.Sprint(l.Keyslots), "--key-slot", fmt.Sprint(first)}
	tool(t, "", append(append(format, args...), path, key)...)
	for _, n := range r.Perm(16)[:r.IntN(4)] {
		if n == first {
			continue
		}
		slot, args := randomKeyslot(r, l)
		hash := odds.Pick(r, "sha256", "sha512")
		slot.AFHash = hash
		if slot.KDF == "pbkdf2" {
			slot.Hash = hash
		}
		add := []string{"cryptsetup", "--batch-mode", "luksAddKey", "--key-slot", fmt.Sprint(n), "--hash", hash}
		if r.IntN(4) == 0 {
			slot.Unbound = odds.Pick(r, 128, 256, 512)
			add = append(add, "--unbound", "--key-size", fmt.Sprint(slot.Unbound))
		} else {
			add = append(add, "--key-file", key)
		}
		tool(t, "", append(append(add, args...), path, secret(t, "other"))...)
		if slot.Priority = odds.Pick(r, "", "prefer", "ignore"); slot.Priority != "" {
			tool(t, "", "cryptsetup", "config", "--key-slot", fmt.Sprint(n), "--priority", slot.Priority, path)
		}
		l.Slot[ID(strconv.Itoa(n))] = slot
	}
	for _, n := range r.Perm(32)[:r.IntN(3)] {
		kind := odds.Pick(r, "luks2-keyring", "rootwc-note", "clevis")
		if kind == "luks2-keyring" {
			l.Token[ID(strconv.Itoa(n))] = &LUKSToken{kind, []string{strconv.Itoa(first)}, "a $(key)"}
			tool(t, "", "cryptsetup", "token", "add", "--token-id", fmt.Sprint(n), "--key-slot", fmt.Sprint(first), "--key-description", "a $(key)", path)
			continue
		}
		l.Token[ID(strconv.Itoa(n))] = &LUKSToken{Type: kind}
		tool(t, fmt.Sprintf(`{"type":%q,"keyslots":[],"text":"a \"secret\""}`, kind), "cryptsetup", "token", "import", "--token-id", fmt.Sprint(n), path)
	}
	return l
}

func randomKeyslot(r *rand.Rand, l *LUKS) (*Keyslot, []string) {
	cipher := odds.Pick(r, ciphers...)
	s := &Keyslot{KDF: odds.Pick(r, "pbkdf2", "argon2i", "argon2id"), Cipher: cipher.name, KeyBits: odds.Pick(r, cipher.bits...)}
	args := []string{"--pbkdf", s.KDF, "--keyslot-cipher", s.Cipher, "--keyslot-key-size", fmt.Sprint(s.KeyBits)}
	if s.KDF == "pbkdf2" {
		s.Time = 1000 + r.IntN(5000)
	} else {
		s.Time, s.Memory, s.Parallel = 4+r.IntN(3), uint64(32+r.IntN(900))<<10, 1+r.IntN(2)
		args = append(args, "--pbkdf-memory", fmt.Sprint(s.Memory>>10), "--pbkdf-parallel", fmt.Sprint(s.Parallel))
	}
	return s, append(args, "--pbkdf-force-iterations", fmt.Sprint(s.Time))
}

// compareLUKS compares with cryptsetup's own listing.
func compareLUKS(t *testing.T, path string, id ID, l *LUKS) {
	t.Helper()
	compareLUKSDump(t, tool(t, "", "cryptsetup", "luksDump", path), id, l)
}

func compareLUKSDump(t *testing.T, said string, id ID, l *LUKS) {
	t.Helper()
	value := func(key string) string {
		m := regexp.MustCompile(`(?m)^\s*` + key + `:\s*(.*?)\s*$`).FindStringSubmatch(said)
		if m == nil {
			return ""
		}
		return m[1]
	}
	want := map[string]string{"Version": fmt.Sprint(l.Version), "UUID": string(id)}
	if l.Version == 1 {
		want["Payload offset"], want["MK bits"], want["Hash spec"] = fmt.Sprint(l.Offset/512), fmt.Sprint(l.KeyBits), l.Hash
		if got := value("Cipher name") + "-" + value("Cipher mode"); got != l.Cipher {
			t.Errorf("cipher is %s\n%s", l.Cipher, said)
		}
		if n := strings.Count(said, ": ENABLED"); n != len(l.Slot) {
			t.Errorf("%d slots\n%s", len(l.Slot), said)
		}
	} else {
		want["Metadata area"], want["Keyslots area"] = fmt.Sprintf("%d [bytes]", l.Metadata), fmt.Sprintf("%d [bytes]", l.Keyslots)
		want["cipher"], want["sector"] = l.Cipher, fmt.Sprintf("%d [bytes]", l.Sector)
		if none := "(no label)"; l.Label == "" && value("Label") != none {
			t.Errorf("label is empty\n%s", said)
		}
		if !strings.Contains(said, l.Label) || !strings.Contains(said, l.Subsystem) {
			t.Errorf("label %q, subsystem %q\n%s", l.Label, l.Subsystem, said)
		}
	}
	for key, value1 := range want {
		if got := value(key); got != value1 {
			t.Errorf("%s is %q, cryptsetup says %q", key, value1, got)
		}
	}
}

// TestLUKSCopies damages the copies of a header, as a stray write does, and
// compares with what cryptsetup still reads.
func TestLUKSCopies(t *testing.T) {
	need(t, "cryptsetup")
	path := blankImage(t, 40<<20)
	id := ID(odds.UUID(odds.Dice(0)))
	want := formatLUKS2(t, odds.Dice(2), path, id)
	fresh, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	second := int(want.Metadata)
	tests := []struct {
		name    string
		damage  []int
		finding string
		err     string
	}{
		{"the first one's magic", []int{0}, "first LUKS2 header: nothing of this kind is there; the second is read", ""},
		{"the first one's JSON", []int{4100}, "first LUKS2 header: wrong checksum; the second is read", ""},
		{"the second one", []int{second + 4100}, "second LUKS2 header: wrong checksum", ""},
		{"both", []int{4100, second + 4100}, "", "first LUKS2 header: wrong checksum; second: wrong checksum"},
		{"both magics", []int{0, second}, "", errAbsent.Error()},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := slices.Clone(fresh)
			for _, at := range test.damage {
				b[at] ^= 0x55
			}
			got, l, findings, err := readLUKS(strings.NewReader(string(b)), uint64(len(b)))
			if fmt.Sprint(err) != or(test.err, "<nil>") || strings.Join(findings, "; ") != test.finding {
				t.Errorf("%v, findings %q", err, findings)
			}
			if err == nil && (got != id || !reflect.DeepEqual(l, want)) {
				t.Errorf("got %s %s", got, showLUKS(l))
			}
		})
	}
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func TestLUKSAbsent(t *testing.T) {
	for content, want := range map[string]string{
		"":                           errAbsent.Error(),
		strings.Repeat("\x00", 4096): errAbsent.Error(),
		"LUKS\xba\xbe\x00\x03" + strings.Repeat("\x00", 8192): "first LUKS2 header: version 3; second: " + errAbsent.Error(),
	} {
		_, _, _, err := readLUKS(strings.NewReader(content), uint64(len(content)))
		if err == nil || err.Error() != want {
			t.Errorf("%.8q: %v", content, err)
		}
	}
}

func TestLUKSExtracts(t *testing.T) { testLUKS(t, filepath.Join("testdata", "luks")) }

// testLUKS reads headers that a guest made with what needs device-mapper, and
// compares with what cryptsetup said of them.
func testLUKS(t *testing.T, dir string) {
	for name, want := range map[string]struct{ flags, integrity, unsupported string }{
		"flags":       {"allow-discards no-read-workqueue no-write-workqueue same-cpu-crypt submit-from-crypt-cpus", "", ""},
		"integrity":   {"", "hmac(sha256)", ""},
		"reencrypted": {"", "", "the header requires online-reencrypt-v2"},
		"lost":        {"", "", "no keyslot is left"},
		"detached":    {"", "", "a header that is detached from its content"},
		"one":         {"", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := loadExtract(filepath.Join(dir, name+"-0.img.gz"))
			if err != nil {
				t.Fatal(err)
			}
			id, l, findings, err := readLUKS(e, e.size)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Join(l.Flags, " ") != want.flags || l.Integrity != want.integrity || l.Unsupported != want.unsupported || len(findings) > 0 {
				t.Errorf("%s, %v", showLUKS(l), findings)
			}
			dump, err := os.ReadFile(filepath.Join(dir, name+".dump"))
			if err != nil {
				t.Fatal(err)
			}
			compareLUKSDump(t, string(dump), id, l)
		})
	}
}
