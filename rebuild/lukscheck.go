package rebuild

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"rootwc/probes"
)

// What a header may say goes into arguments; each of its words is one of a few
// or looks like one.
var (
	isMapping = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}$`)
	isUUID    = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
	isHash    = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)
	isCipher  = regexp.MustCompile(`^[a-z0-9][a-z0-9_(),:-]{0,63}$`)
)

// flagOptions are the options of cryptsetup open for the flags of a header.
var flagOptions = map[string]string{
	"allow-discards": "--allow-discards", "same-cpu-crypt": "--perf-same_cpu_crypt", "submit-from-crypt-cpus": "--perf-submit_from_crypt_cpus",
	"no-read-workqueue": "--perf-no_read_workqueue", "no-write-workqueue": "--perf-no_write_workqueue", "no-journal": "--integrity-no-journal",
}

// integrityBits are the words of cryptsetup for what a header says, and how much
// of the key is for it. Source: crypt_parse_integrity_mode in utils_crypt.c.
var integrityBits = map[string]struct {
	word string
	key  int
}{
	"": {}, "aead": {"aead", 0}, "poly1305": {"poly1305", 0}, "cmac(aes)": {"cmac-aes", 128},
	"hmac(sha1)": {"hmac-sha1", 160}, "hmac(sha256)": {"hmac-sha256", 256}, "hmac(sha512)": {"hmac-sha512", 512},
}

func checkLUKS(id probes.ID, l *probes.LUKS, device string) error {
	if err := checkDevice(device); err != nil {
		return err
	}
	integrity, known := integrityBits[l.Integrity]
	bits := l.KeyBits - integrity.key
	switch {
	case l.Unsupported != "":
		return errors.New(l.Unsupported)
	case !isUUID.MatchString(string(id)):
		return errors.New("that is no UUID")
	case l.Version != 1 && l.Version != 2:
		return fmt.Errorf("version %d", l.Version)
	case !isCipher.MatchString(l.Cipher):
		return fmt.Errorf("cipher %q", l.Cipher)
	case !isHash.MatchString(l.Hash):
		return fmt.Errorf("hash %q", l.Hash)
	case !known || l.Version == 1 && l.Integrity != "":
		return fmt.Errorf("integrity %q", l.Integrity)
	case bits <= 0 || bits > 4096 || bits%8 != 0:
		return fmt.Errorf("key of %d bits", bits)
	case l.Offset == 0 || l.Offset%512 != 0 || l.Offset > 1<<40:
		return fmt.Errorf("content at %d", l.Offset)
	}
	if err := checkLUKS2(l); err != nil {
		return err
	}
	for slot, s := range l.Slot {
		if err := checkKeyslot(l, slot, s); err != nil {
			return fmt.Errorf("keyslot %q: %w", slot, err)
		}
	}
	for token := range l.Token {
		if !isNumber(token, 31) {
			return fmt.Errorf("token %q", token)
		}
	}
	return nil
}

// checkLUKS2 checks what only the second version has.
func checkLUKS2(l *probes.LUKS) error {
	if l.Version == 1 {
		if l.Label != "" || l.Subsystem != "" || len(l.Flags) > 0 || len(l.Token) > 0 || l.Sector != 512 {
			return errors.New("it has what only the second version can")
		}
		return nil
	}
	metadata := slices.Contains([]uint64{16 << 10, 32 << 10, 64 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20, 2 << 20, 4 << 20}, l.Metadata)
	switch {
	case !metadata || l.Keyslots == 0 || l.Keyslots%4096 != 0 || l.Keyslots > 128<<20:
		return fmt.Errorf("areas of %d and %d bytes", l.Metadata, l.Keyslots)
	case l.Sector < 512 || l.Sector > 4096 || l.Sector&(l.Sector-1) != 0:
		return fmt.Errorf("sectors of %d bytes", l.Sector)
	case len(l.Label) > 47 || len(l.Subsystem) > 47 || strings.ContainsRune(l.Label+l.Subsystem, 0):
		return fmt.Errorf("label %q, subsystem %q", l.Label, l.Subsystem)
	}
	for _, flag := range l.Flags {
		if flagOptions[flag] == "" {
			return fmt.Errorf("flag %q", flag)
		}
	}
	return nil
}

func checkKeyslot(l *probes.LUKS, slot probes.ID, s *probes.Keyslot) error {
	last, kdfs := 31, []string{"pbkdf2", "argon2i", "argon2id"}
	if l.Version == 1 {
		last, kdfs = 7, kdfs[:1]
	}
	switch {
	case !isNumber(slot, last):
		return fmt.Errorf("no number up to %d", last)
	case !slices.Contains(kdfs, s.KDF):
		return fmt.Errorf("kdf %q", s.KDF)
	case s.Time <= 0 || s.Time > 1<<31-1:
		return fmt.Errorf("time %d", s.Time)
	case l.Version == 1 && (s.Unbound != 0 || s.Priority != ""):
		return errors.New("it has what only the second version can")
	case l.Version == 1:
		return nil
	case s.KDF != "pbkdf2" && (s.Memory < 32<<10 || s.Memory > 4<<30 || s.Parallel < 1 || s.Parallel > 4):
		return fmt.Errorf("%d bytes of memory, %d threads", s.Memory, s.Parallel)
	case !isHash.MatchString(s.AFHash):
		return fmt.Errorf("hash %q", s.AFHash)
	case !isCipher.MatchString(s.Cipher) || s.KeyBits <= 0 || s.KeyBits > 4096 || s.KeyBits%8 != 0:
		return fmt.Errorf("cipher %q with %d bits", s.Cipher, s.KeyBits)
	case s.Unbound < 0 || s.Unbound > 4096 || s.Unbound%8 != 0:
		return fmt.Errorf("a key of %d bits", s.Unbound)
	case !slices.Contains([]string{"", "prefer", "ignore"}, s.Priority):
		return fmt.Errorf("priority %q", s.Priority)
	}
	return nil
}

// isNumber tells whether an ID is a number as it is written in a header.
func isNumber(id probes.ID, last int) bool {
	n, err := strconv.Atoi(string(id))
	return err == nil && n >= 0 && n <= last && strconv.Itoa(n) == string(id)
}
