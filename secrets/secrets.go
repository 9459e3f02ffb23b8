// Package secrets seals files for people who hold a key, and opens them again.
//
// A sealed file is an age file (age-encryption.org/v1) whose text is a line of
// JSON, the [Header], and then the content of the file: "age --decrypt" and
// "tail --lines=+2" bring it back without rootwc. The header binds the path, the
// owner and the mode to the content: who can write to the repository but cannot
// read a sealed file can replace it as a whole, and cannot give its content
// another path, owner or mode. Who sealed it is not proven by anything: age
// knows no signatures, and a recipient is a public key.
//
// The package touches no file. It holds a piece of 64 KiB of a file at a time.
package secrets
