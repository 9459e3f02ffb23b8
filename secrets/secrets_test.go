package secrets

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"io"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"
	"golang.org/x/crypto/ssh"
)

// keyPair is a recipient with the text of its identity.
type keyPair struct{ recipient, identity string }

func x25519(t testing.TB) keyPair {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return keyPair{id.Recipient().String(), "# a comment\n" + id.String() + "\n"}
}

func hybrid(t testing.TB) keyPair {
	t.Helper()
	id, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return keyPair{id.Recipient().String(), id.String() + "\n"}
}

// sshPair is an SSH key; a passphrase encrypts it.
func sshPair(t testing.TB, secret any, passphrase string) keyPair {
	t.Helper()
	signer, err := ssh.NewSignerFromKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(secret, "anna@laptop")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(secret, "anna@laptop", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	return keyPair{strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey()))) + " anna@laptop", string(pem.EncodeToMemory(block))}
}

func ed25519Key(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func recipients(t testing.TB, pairs ...keyPair) Recipients {
	t.Helper()
	var list []string
	for _, p := range pairs {
		list = append(list, p.recipient)
	}
	rs, err := ParseRecipients(list)
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

func noPassphrase(what string) ([]byte, error) {
	return nil, errors.New("no passphrase is needed for " + what)
}

func seal(t testing.TB, rs Recipients, path, content string) []byte {
	t.Helper()
	var sealed bytes.Buffer
	w, err := rs.Seal(&sealed, path, map[string]string{"svn:unix-mode": "0640"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return sealed.Bytes()
}

func TestSealAndOpen(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, pair := range map[string]keyPair{
		"x25519":        x25519(t),
		"hybrid":        hybrid(t),
		"ssh-ed25519":   sshPair(t, ed25519Key(t), ""),
		"ssh-rsa":       sshPair(t, rsaKey, ""),
		"ssh-encrypted": sshPair(t, ed25519Key(t), "battery staple"),
	} {
		t.Run(name, func(t *testing.T) {
			content := strings.Repeat("root:correct-horse:19000\n", 20000) // several pieces
			sealed := seal(t, recipients(t, pair), "etc/shadow", content)
			if bytes.Contains(sealed, []byte("shadow")) || bytes.Contains(sealed, []byte("horse")) {
				t.Error("clear text in the sealed file")
			}
			ask := noPassphrase
			if name == "ssh-encrypted" {
				ask = func(string) ([]byte, error) { return []byte("battery staple"), nil }
			}
			ids, err := ParseIdentities("key", []byte(pair.identity), ask)
			if err != nil {
				t.Fatal(err)
			}
			if err := Opens(bytes.NewReader(sealed), ids); err != nil {
				t.Errorf("Opens: %v", err)
			}
			o, err := Open(bytes.NewReader(sealed), "etc/shadow", ids)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(o)
			if err != nil || string(got) != content || o.Properties["svn:unix-mode"] != "0640" {
				t.Errorf("got %d bytes, header %v, %v", len(got), o.Header, err)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	mine, other := x25519(t), x25519(t)
	sealed := seal(t, recipients(t, mine), "etc/shadow", strings.Repeat("secret", 30000))
	ids, err := ParseIdentities("key", []byte(mine.identity), noPassphrase)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(bytes.NewReader(sealed), "home/anna/notes", ids); err == nil || !strings.Contains(err.Error(), `"etc/shadow"`) {
		t.Errorf("opened at another path: %v", err)
	}
	others, err := ParseIdentities("key", []byte(other.identity), noPassphrase)
	if err != nil {
		t.Fatal(err)
	}
	if err := Opens(bytes.NewReader(sealed), others); !errors.Is(err, ErrNoIdentity) {
		t.Errorf("Opens with another identity: %v", err)
	}
	if _, err := Open(bytes.NewReader(sealed), "etc/shadow", others); !errors.Is(err, ErrNoIdentity) {
		t.Errorf("Open with another identity: %v", err)
	}
	for _, cut := range []int{0, 10, 150, len(sealed) / 2, len(sealed) - 1} {
		o, err := Open(bytes.NewReader(sealed[:cut]), "etc/shadow", ids)
		if err == nil {
			_, err = io.Copy(io.Discard, o)
		}
		if err == nil {
			t.Errorf("cut to %d bytes it opens", cut)
		}
	}
	damaged := bytes.Clone(sealed)
	damaged[len(damaged)-5] ^= 1
	o, err := Open(bytes.NewReader(damaged), "etc/shadow", ids)
	if err == nil {
		_, err = io.Copy(io.Discard, o)
	}
	if err == nil {
		t.Error("damaged it opens")
	}
}

// TestPlainAge: a person without rootwc reads a sealed file with age alone, and
// an age file of another kind is no sealed file.
func TestPlainAge(t *testing.T) {
	pair := x25519(t)
	id, err := age.ParseX25519Identity(strings.TrimSpace(strings.SplitN(pair.identity, "\n", 2)[1]))
	if err != nil {
		t.Fatal(err)
	}
	clear, err := age.Decrypt(bytes.NewReader(seal(t, recipients(t, pair), "etc/key", "one\ntwo\n")), id)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(clear)
	if err != nil {
		t.Fatal(err)
	}
	if _, content, _ := bytes.Cut(text, []byte("\n")); string(content) != "one\ntwo\n" {
		t.Errorf("after the first line: %q", content)
	}
	var foreign bytes.Buffer
	w, err := age.Encrypt(&foreign, id.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, "my-password\n")
	w.Close()
	if _, err := Open(&foreign, "etc/key", Identities{id}); err == nil || strings.Contains(err.Error(), "my-password") {
		t.Errorf("a file that rootwc did not seal: %v", err)
	}
}

func TestEncryptedIdentities(t *testing.T) {
	pair := x25519(t)
	lock, err := age.NewScryptRecipient("battery staple")
	if err != nil {
		t.Fatal(err)
	}
	lock.SetWorkFactor(10)
	for _, armored := range []bool{false, true} {
		var file bytes.Buffer
		var sink io.WriteCloser
		sink = nopCloser{&file}
		if armored {
			sink = armor.NewWriter(&file)
		}
		w, err := age.Encrypt(sink, lock)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, pair.identity)
		if err := errors.Join(w.Close(), sink.Close()); err != nil {
			t.Fatal(err)
		}
		ask := func(answer string) func(string) ([]byte, error) {
			return func(string) ([]byte, error) { return []byte(answer), nil }
		}
		if ids, err := ParseIdentities("key", file.Bytes(), ask("battery staple")); err != nil || len(ids) != 1 {
			t.Errorf("armored %v: %v, %v", armored, ids, err)
		}
		if _, err := ParseIdentities("key", file.Bytes(), ask("wrong")); err == nil || !strings.Contains(err.Error(), "passphrase does not open") {
			t.Errorf("armored %v, wrong passphrase: %v", armored, err)
		}
	}
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

func TestRecipientErrors(t *testing.T) {
	good, quantum := x25519(t).recipient, hybrid(t).recipient
	for _, test := range []struct {
		list  []string
		index int
		words string
	}{
		{[]string{good, "age1nonsense"}, 1, "no public key"},
		{[]string{""}, 0, "no public key"},
		{[]string{good[:len(good)-1]}, 0, "no public key"},
		{[]string{"ssh-ed25519 AAAA"}, 0, "damaged, or cut"},
		{[]string{"age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t"}, 0, "age-plugin-yubikey"},
		{[]string{good, quantum}, 1, "cannot be mixed"},
		{[]string{quantum, good}, 1, "cannot be mixed"},
		{[]string{strings.TrimSpace(strings.SplitN(x25519(t).identity, "\n", 2)[1])}, 0, "secret one"},
	} {
		_, err := ParseRecipients(test.list)
		var at *IndexError
		if !errors.As(err, &at) || at.Index != test.index || !strings.Contains(err.Error(), test.words) {
			t.Errorf("%.70q: %v; want one of recipient %d with %q", test.list, err, test.index, test.words)
		}
		if err != nil && strings.Contains(err.Error(), "AGE-SECRET-KEY-1") {
			t.Errorf("the error shows a secret key: %v", err)
		}
	}
	rs, err := ParseRecipients([]string{good, good})
	if err != nil || len(rs) != 1 {
		t.Errorf("twice the same: %v, %v", rs, err)
	}
}

func TestIdentityErrors(t *testing.T) {
	secret := x25519(t).identity
	secret = strings.TrimSpace(strings.SplitN(secret, "\n", 2)[1])
	for text, words := range map[string]string{
		"":                           "no identity in it",
		"# nothing\n":                "no identity in it",
		"\n" + secret[:40] + "\n":    "key:2: no identity of age",
		x25519(t).recipient:          "key:1: a public key",
		"AGE-PLUGIN-YUBIKEY-1QQ":     "key:1: an identity of a plugin",
		"-----BEGIN NONSENSE-----\n": "no SSH private key",
	} {
		_, err := ParseIdentities("key", []byte(text), noPassphrase)
		if err == nil || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "SECRET-KEY-1") {
			t.Errorf("%.30q: %v; want %q", text, err, words)
		}
	}
}

func FuzzOpen(f *testing.F) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("{}\nx"))
	f.Add([]byte(`{"format":"1.0.0","path":"etc/shadow"}` + "\nx"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var sealed bytes.Buffer
		w, err := age.Encrypt(&sealed, id.Recipient())
		if err != nil {
			t.Fatal(err)
		}
		w.Write(text)
		w.Close()
		if o, err := Open(&sealed, "etc/shadow", Identities{id}); err == nil && o.Path != "etc/shadow" {
			t.Errorf("opened as %q", o.Path)
		}
	})
}
