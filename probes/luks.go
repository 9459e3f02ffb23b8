package probes

// LUKS is an encrypted device. Its ID is the header's UUID. Salts, digests and
// keys are not recorded.
type LUKS struct {
	On          Ref               `toml:"on"`
	Version     int               `toml:"version"`
	Label       string            `toml:"label"`
	Subsystem   string            `toml:"subsystem"`
	Mapping     string            `toml:"mapping-name"`
	Cipher      string            `toml:"cipher"`
	KeyBits     int               `toml:"key-bits"`
	Hash        string            `toml:"hash"`
	Sector      uint64            `toml:"sector-size" unit:"bytes"`
	Offset      uint64            `toml:"offset" unit:"bytes"`        // of the content, bytes
	Metadata    uint64            `toml:"metadata-size" unit:"bytes"` // bytes
	Keyslots    uint64            `toml:"keyslots-size" unit:"bytes"` // bytes
	Flags       []string          `toml:"flags"`
	Slot        map[ID]*Keyslot   `toml:"slot"`
	Token       map[ID]*LUKSToken `toml:"token"`
	Unsupported string            `toml:"unsupported"`
}

// Keyslot is how one passphrase opens a LUKS device, without the passphrase.
type Keyslot struct {
	KDF      string `toml:"kdf"` // "argon2id", "pbkdf2"
	Hash     string `toml:"hash"`
	Time     int    `toml:"time"`                // argon2: passes; pbkdf2: iterations
	Memory   uint64 `toml:"memory" unit:"bytes"` // argon2: bytes
	Parallel int    `toml:"parallel"`            // argon2: threads
	AFHash   string `toml:"af-hash"`             // of the anti-forensic splitter
	Cipher   string `toml:"cipher"`              // of the slot's own area
	KeyBits  int    `toml:"key-bits"`            // of that
	Priority string `toml:"priority"`            // "prefer" or "ignore"
	Unbound  int    `toml:"unbound"`             // bits of a key that opens nothing here
}

// LUKSToken is a LUKS2 token; what it holds may be a secret and is not here.
type LUKSToken struct {
	Type  string   `toml:"type"`
	Slots []string `toml:"slots"`
}
