package rebuild

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"rootwc/internal/odds"
	"rootwc/probes"
)

// TestLUKS makes random headers on images, over what an attempt has left that
// ended anywhere, and reads them.
func TestLUKS(t *testing.T) {
	newLab(t, "cryptsetup", "wipefs")
	for round := range odds.Rounds(30) {
		t.Run(strconv.Itoa(round), func(t *testing.T) {
			t.Parallel()
			r, l := odds.Dice(round), newLab(t)
			id := probes.ID(odds.UUID(r))
			want := randomLUKS(r)
			l.secrets = map[Key]string{}
			var have []probes.ID
			for slot := range want.Slot {
				l.secrets[Key{id, slot}] = "secret of " + string(slot) + "\nwith a line end\n"
				have = append(have, slot)
			}
			image := l.blank(40 << 20)
			lost := forget(r, want, &have)
			layer, err := LUKS(id, want, image, have)
			if err != nil {
				t.Fatal(err)
			}
			l.do(layer.Make[:r.IntN(len(layer.Make))], layer.Make)
			got, header, err := probes.ReadLUKS(l.medium(image))
			if err != nil {
				t.Fatal(err)
			}
			wantNotes := 0
			if lost != "" {
				wantNotes++
				delete(want.Slot, lost)
			}
			for token, t := range want.Token {
				if t.Type != probes.TokenKeyring {
					wantNotes++
					delete(want.Token, token)
				}
				if t.Slots = slices.DeleteFunc(t.Slots, func(s string) bool { return s == string(lost) }); len(t.Slots) == 0 {
					t.Slots = nil
				}
			}
			if got != id || !reflect.DeepEqual(header, want) {
				t.Errorf("got  %s %s\nwant %s %s", got, show(header), id, show(want))
			}
			if len(layer.Notes) != wantNotes {
				t.Errorf("%d notes expected: %q", wantNotes, layer.Notes)
			}
			for slot, s := range want.Slot {
				if s.Unbound == 0 {
					a := Action{Args: []string{"cryptsetup", "open", "--test-passphrase", "--key-slot", string(slot), "--key-file", "-", image}, Keys: []Key{{id, slot}}}
					l.do([]Action{a})
				}
			}
		})
	}
}

// forget takes a passphrase away, if another slot still opens the device.
func forget(r *rand.Rand, l *probes.LUKS, have *[]probes.ID) (lost probes.ID) {
	bound := 0
	for _, s := range l.Slot {
		if s.Unbound == 0 {
			bound++
		}
	}
	slices.SortFunc(*have, compareSlots)
	i := r.IntN(len(*have))
	if bound < 2 || r.IntN(2) == 0 || l.Slot[(*have)[i]].Unbound != 0 {
		return ""
	}
	lost = (*have)[i]
	*have = slices.Delete(*have, i, i+1)
	return lost
}

// Not every kernel has more than AES where cryptsetup works without
// device-mapper.
var ciphers = []struct {
	name string
	bits []int
}{{"aes-xts-plain64", []int{256, 512}}, {"aes-cbc-essiv:sha256", []int{128, 256}}, {"aes-xts-plain", []int{512}}, {"aes-cbc-plain", []int{128}}}

func randomLUKS(r *rand.Rand) *probes.LUKS {
	cipher := odds.Pick(r, ciphers...)
	l := &probes.LUKS{Version: 1, Cipher: cipher.name, KeyBits: odds.Pick(r, cipher.bits...), Sector: 512, Slot: map[probes.ID]*probes.Keyslot{}}
	if r.IntN(3) == 0 {
		l.Hash, l.Offset = odds.Pick(r, "sha1", "sha256", "sha512", "ripemd160"), uint64(odds.Pick(r, 2, 4, 8))<<20
		for _, n := range r.Perm(8)[:1+r.IntN(3)] {
			l.Slot[probes.ID(strconv.Itoa(n))] = &probes.Keyslot{KDF: "pbkdf2", Hash: l.Hash, Time: 1000 + r.IntN(5000)}
		}
		return l
	}
	l.Version, l.Hash, l.Sector = 2, odds.Pick(r, "sha256", "sha512", "sha1"), odds.Pick[uint64](r, 512, 4096)
	l.Metadata, l.Keyslots, l.Offset = uint64(16<<10)<<r.IntN(4), uint64(4+r.IntN(5))<<20, uint64(16+r.IntN(8))<<20
	names := slices.DeleteFunc(slices.Clone(odds.Hostile), func(s string) bool { return len(s) > 47 })
	l.Label, l.Subsystem = odds.Pick(r, names...), odds.Pick(r, names...)
	numbers := r.Perm(16)[:1+r.IntN(4)]
	for i, n := range numbers {
		s := randomKeyslot(r)
		if i > 0 && r.IntN(4) == 0 {
			s.Unbound = odds.Pick(r, 128, 256, 512)
		}
		l.Slot[probes.ID(strconv.Itoa(n))] = s
	}
	l.Token = map[probes.ID]*probes.LUKSToken{}
	for _, n := range r.Perm(32)[:r.IntN(3)] {
		token := &probes.LUKSToken{Type: odds.Pick(r, probes.TokenKeyring, "clevis", "systemd-tpm2")}
		if token.Type == probes.TokenKeyring {
			token.Slots, token.Description = []string{strconv.Itoa(numbers[0])}, odds.Pick(r, names[1:]...)
		}
		l.Token[probes.ID(strconv.Itoa(n))] = token
	}
	return l
}

func randomKeyslot(r *rand.Rand) *probes.Keyslot {
	cipher := odds.Pick(r, ciphers...)
	s := &probes.Keyslot{KDF: odds.Pick(r, "pbkdf2", "argon2i", "argon2id"), AFHash: odds.Pick(r, "sha256", "sha512"),
		Cipher: cipher.name, KeyBits: odds.Pick(r, cipher.bits...), Priority: odds.Pick(r, "", "prefer", "ignore")}
	if s.KDF == "pbkdf2" {
		s.Hash, s.Time = s.AFHash, 1000+r.IntN(5000)
	} else {
		s.Time, s.Memory, s.Parallel = 4+r.IntN(3), uint64(32+r.IntN(900))<<10, 1+r.IntN(2)
	}
	return s
}

// TestHostileLUKS gives cryptsetup no word that no header of its own has.
func TestHostileLUKS(t *testing.T) {
	const id = "1b7c2978-8550-41dd-b91c-cdf88b614062"
	type L = *probes.LUKS
	for name, change := range map[string]func(L){
		"unsupported": func(l L) { l.Unsupported = "detached header" }, "version": func(l L) { l.Version = 3 }, "option for a cipher": func(l L) { l.Cipher = "--help" },
		"hash": func(l L) { l.Hash = "sha256 --key-file=/etc/passwd" }, "integrity": func(l L) { l.Integrity = "hmac(sha256);" },
		"no key": func(l L) { l.KeyBits = 0 }, "key of its integrity alone": func(l L) { l.Integrity, l.KeyBits = "hmac(sha256)", 256 },
		"detached": func(l L) { l.Offset = 0 }, "far": func(l L) { l.Offset = 1<<64 - 512 }, "metadata": func(l L) { l.Metadata = 17 << 10 },
		"keyslots area": func(l L) { l.Keyslots = 1 << 40 }, "sector": func(l L) { l.Sector = 513 }, "label": func(l L) { l.Label = strings.Repeat("ü", 24) },
		"zero": func(l L) { l.Subsystem = "a\x00b" }, "flag": func(l L) { l.Flags = []string{"allow-discards", "--header=/x"} },
		"slot":         func(l L) { l.Slot["--help"] = l.Slot["0"] },
		"slot number":  func(l L) { l.Slot["032"] = l.Slot["0"] },
		"kdf":          func(l L) { l.Slot["0"].KDF = "scrypt" },
		"time":         func(l L) { l.Slot["0"].Time = -1 },
		"memory":       func(l L) { l.Slot["0"].Memory = 1 << 62 },
		"slot's hash":  func(l L) { l.Slot["0"].AFHash = "" },
		"slot cipher":  func(l L) { l.Slot["0"].Cipher = "a b" },
		"unbound":      func(l L) { l.Slot["0"].Unbound = -8 },
		"priority":     func(l L) { l.Slot["0"].Priority = "first" },
		"token number": func(l L) { l.Token = map[probes.ID]*probes.LUKSToken{"-1": {Type: "clevis"}} },
		"old, labeled": func(l L) { l.Version, l.Label = 1, "x" },
		"only unbound": func(l L) { l.Slot["0"].Unbound = 256 },
	} {
		r := odds.Dice(1)
		l := randomLUKS(r)
		for l.Version == 1 {
			l = randomLUKS(r)
		}
		l.Slot = map[probes.ID]*probes.Keyslot{"0": {KDF: "argon2id", Time: 4, Memory: 32 << 10, Parallel: 1, AFHash: "sha256", Cipher: "aes-xts-plain64", KeyBits: 512}}
		change(l)
		layer, err := LUKS(id, l, "/dev/sdx1", slices.Collect(maps.Keys(l.Slot)))
		if err == nil || !strings.HasPrefix(err.Error(), "LUKS "+id+": ") || len(layer.Make) > 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	l := randomLUKS(odds.Dice(1))
	if _, err := LUKS("--uuid", l, "/dev/sdx1", []probes.ID{"0"}); err == nil {
		t.Error("a UUID that is none is taken")
	}
	if _, err := LUKS(id, l, "/dev/sdx1", nil); err == nil || !strings.Contains(err.Error(), "no passphrase") {
		t.Errorf("without a passphrase: %v", err)
	}
	for _, name := range append([]string{"control", "a/b", "..", "-x", strings.Repeat("x", 128)}, odds.Hostile...) {
		if got := LUKSDevice(id, &probes.LUKS{Mapping: name}); got != "/dev/mapper/luks-"+id && got != "/dev/mapper/"+name || strings.ContainsAny(got[12:], "/ \n$") || got[12] == '-' {
			t.Errorf("%q: %s", name, got)
		}
	}
	if got := LUKSDevice(id, &probes.LUKS{Mapping: "crypt_root"}); got != "/dev/mapper/crypt_root" {
		t.Error(got)
	}
	if layer, err := LUKS(id, l, "/dev/sdx1", slices.Collect(maps.Keys(l.Slot))); err != nil || !strings.Contains(fmt.Sprint(layer.Make), "luksFormat") {
		t.Errorf("%v", err)
	}
}
