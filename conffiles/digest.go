package conffiles

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"strings"
)

// Digest names a text as package managers do: the algorithm, a colon, and
// lower-case hexadecimal digits, "md5:d41d8cd98f00b204e9800998ecf8427e". dpkg,
// ucf and pacman record MD5, rpm SHA-256 and in older databases others. None of
// them is a proof against forgery here, and none is needed: a digest only tells
// which of the texts that a machine has had is the one that was shipped.
type Digest string

// MD5 makes a digest of the digits that dpkg, ucf and pacman write.
func MD5(digits string) Digest { return Digest("md5:" + strings.ToLower(digits)) }

// Matches says whether text has the digest; never, when the algorithm is not
// known.
func (d Digest) Matches(text []byte) bool {
	algorithm, digits, _ := strings.Cut(string(d), ":")
	var sum []byte
	switch algorithm {
	case "md5":
		s := md5.Sum(text)
		sum = s[:]
	case "sha1":
		s := sha1.Sum(text)
		sum = s[:]
	case "sha256":
		s := sha256.Sum256(text)
		sum = s[:]
	case "sha384":
		s := sha512.Sum384(text)
		sum = s[:]
	case "sha512":
		s := sha512.Sum512(text)
		sum = s[:]
	default:
		return false
	}
	return hex.EncodeToString(sum) == digits
}
