package system

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/bmatcuk/doublestar/v4"

	"rootwc/noise"
	"rootwc/secrets"
)

// checkHostname takes hostname(7), with the underscore that many have.
func checkHostname(s string) error {
	if s == "" {
		return nil
	}
	if len(s) > 253 || !regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`).MatchString(s) {
		return fmt.Errorf("hostname %.60q has other characters than letters, digits, dots and hyphens", s)
	}
	return nil
}

// checkWord takes what os-release(5) allows in ID and VERSION_ID. It cannot be
// taken for an option.
func checkWord(s string) error {
	if s == "" {
		return nil
	}
	if len(s) > 60 || !regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+~-]*$`).MatchString(s) {
		return fmt.Errorf("%.60q has other characters than letters, digits and . _ + ~ -", s)
	}
	return nil
}

func checkPolicy(s string) error {
	switch Policy(s) {
	case Withhold, Encrypt, Clear:
		return nil
	}
	return fmt.Errorf("policy %.60q is not known; write withhold, encrypt or clear", s)
}

func checkDirty(s string) error {
	switch Dirty(s) {
	case "", CommitDirty, RefuseDirty:
		return nil
	}
	return fmt.Errorf("dirty %.60q is not known; write commit or refuse", s)
}

// checkRecipients looks at each of the recipients and at all together; index is
// that of the one at fault, -1 for none of them.
func (s *Secrets) checkRecipients() (index int, err error) {
	if s.Policy == Encrypt && len(s.Recipients) == 0 {
		return -1, errors.New("policy encrypt needs recipients; write the public keys of those who may read the secrets")
	}
	for i, r := range s.Recipients {
		if !printable(r) {
			return i, fmt.Errorf("recipient %.60q has characters that nobody can read", r)
		}
	}
	_, err = secrets.ParseRecipients(s.Recipients)
	var at *secrets.IndexError
	if errors.As(err, &at) {
		return at.Index, err
	}
	return -1, err
}

// checkPath takes a path below the root in its one spelling.
func checkPath(s string) error {
	switch {
	case s == "":
		return errors.New("path is missing")
	case !printable(s):
		return fmt.Errorf("path %.60q has characters that Subversion cannot store or nobody can read", s)
	case strings.HasPrefix(s, "/"):
		return fmt.Errorf("path %.60q must be relative to the root; leave out the leading slash", s)
	case slices.Contains(strings.Split(s, "/"), ".."):
		return fmt.Errorf("path %.60q goes through .. and may leave the root", s)
	case s == "." || !fs.ValidPath(s):
		return fmt.Errorf("path %.60q must name one place below the root, without . and double or trailing slashes", s)
	}
	return nil
}

// checkGlob takes a pattern of paths below the root.
func checkGlob(s string) error {
	if err := checkPath(s); err != nil {
		return err
	}
	return noise.CheckPath(s)
}

// checkUse says which keys do not go together.
func (n Noise) checkUse() error {
	switch {
	case n.Defaults != nil && *n.Defaults:
		return errors.New("defaults hold unless it is false; leave it out")
	case n.Defaults != nil && (n.Revert || len(n.Lines) > 0):
		return errors.New("defaults = false goes without lines and revert; write two tables")
	case n.Revert && len(n.Lines) == 0:
		return errors.New("revert needs lines: whatever else changes is a person's")
	}
	return nil
}

func checkPattern(s string) error {
	_, err := noise.CheckLine(s)
	return err
}

// checkSizes bounds what status has to do for the sake of these rules. There
// are no other errors in line patterns that were checked.
func checkSizes(all []Noise) error {
	size := 0
	for _, n := range all {
		for _, line := range n.Lines {
			one, _ := noise.CheckLine(line)
			size += one
		}
	}
	if len(all) > noise.MaxRules || size > noise.MaxSize {
		return fmt.Errorf("more than %d tables, or line patterns that are too large together; repeat less in them", noise.MaxRules)
	}
	return nil
}

func checkType(s string) error {
	if s == "" {
		return errors.New("type is missing; write " + typeWords())
	}
	if !slices.Contains(DatasetTypes, DatasetType(s)) {
		return fmt.Errorf("type %.60q is not known; write %s", s, typeWords())
	}
	return nil
}

func typeWords() string {
	words := make([]string, len(DatasetTypes))
	for i, t := range DatasetTypes {
		words[i] = string(t)
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func checkInclude(s string) error {
	switch {
	case s == "" || !printable(s):
		return fmt.Errorf("include pattern %.60q is empty or has control characters", s)
	case strings.HasPrefix(s, "/") || slices.Contains(strings.Split(s, "/"), ".."):
		return fmt.Errorf("include pattern %.60q must be relative to the repository and stay in it", s)
	case !doublestar.ValidatePattern(s):
		return fmt.Errorf("include pattern %.60q is malformed", s)
	}
	return nil
}

// nodes are the forms of what has a size to choose: partitions by PARTUUID,
// logical volumes by names that lvm(8) allows, disks without partitions by what
// is on them.
var nodes = regexp.MustCompile(`^(partition\.([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{8}-[0-9a-f]{2})|` +
	`lv\.[A-Za-z0-9+_.][A-Za-z0-9+_.-]{0,126}/[A-Za-z0-9+_.][A-Za-z0-9+_.-]{0,126}|disk\.of-[A-Za-z0-9#!:.-]{1,60})$`)

func checkNode(s string) error {
	switch {
	case s == "":
		return errors.New("node is missing")
	case !nodes.MatchString(s):
		return fmt.Errorf("node %.60q has no size to choose; write partition. and its PARTUUID, lv. with group and volume, or disk.of- and what is on it", s)
	}
	return nil
}

func checkSize(s string) error {
	switch {
	case s == "":
		return errors.New("size is missing; write grow, keep or share")
	case !slices.Contains(NodeSizes, NodeSize(s)):
		return fmt.Errorf("size %.60q is not known; write grow, keep or share", s)
	}
	return nil
}

func checkAmount(s string) error {
	_, err := Amount(s).Bytes()
	if err != nil {
		return fmt.Errorf("minimum %w", err)
	}
	return nil
}

// printable reports that a text can be shown as it is.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
