package export

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"rootwc/probes"
)

// Forms of what goes into a text. None of them has a sign that a shell, Nix or
// kickstart's shlex takes for more than itself, apart from the space in names.
var (
	isName       = regexp.MustCompile(`^[\pL\pN_.+:@%/=,-]+( +[\pL\pN_.+:@%/=,-]+)*$`)
	isDevice     = regexp.MustCompile(`^/[A-Za-z0-9/_.+@:=-]+$`)
	isMountPoint = regexp.MustCompile(`^/[\pL\pN_.+@=,/-]*$`)
	isSubvolume  = regexp.MustCompile(`^([\pL\pN_.+@=/][\pL\pN_.+@=/-]*)?$`)
	isOptions    = regexp.MustCompile(`^[A-Za-z0-9_.+:@%/=,-]*$`)
	isWord       = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.+-]*$`)
	isUUID       = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
	isSerial     = regexp.MustCompile(`^[0-9A-F]{4}-[0-9A-F]{4}$`)
	isByte       = regexp.MustCompile(`^(0x)?[0-9a-f]{1,2}$`)
	isLVMName    = regexp.MustCompile(`^\.{0,2}[A-Za-z0-9+_][A-Za-z0-9+_.-]{0,123}$`)
	isLVMID      = regexp.MustCompile(`^[A-Za-z0-9]{6}(-[A-Za-z0-9]{4}){5}-[A-Za-z0-9]{6}$`)
	isArrayID    = regexp.MustCompile(`^[0-9a-f]{8}(:[0-9a-f]{8}){3}$`)
	isArrayName  = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,30}$`)
	isMapping    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}$`)
	isCipher     = regexp.MustCompile(`^[a-z0-9][a-z0-9_(),:-]{0,63}$`)
	isLVMType    = regexp.MustCompile(`^[a-z0-9][a-z0-9_+-]{0,31}$`)
)

// inside tells whether a path leads nowhere but down.
func inside(path string) bool {
	return filepath.Clean("/"+path) == "/"+strings.Trim(path, "/") && !slices.Contains(strings.Split(path, "/"), "..")
}

// must checks a value that no person chooses freely.
func (m *machine) must(form *regexp.Regexp, kind string, id probes.ID, what, value string) string {
	if !form.MatchString(value) {
		m.fail(kind, id, "%s is %q", what, value)
		return ""
	}
	return value
}

// words checks those of a list.
func (m *machine) words(kind string, id probes.ID, what string, list []string) string {
	for _, w := range list {
		m.must(isWord, kind, id, what, w)
	}
	return strings.Join(list, ",")
}

// label is a name that may stand in a text, "" for one that may not.
func (m *machine) label(node probes.Ref, what, name, bytes string) string {
	switch {
	case bytes != "":
		m.note(node, "its %s, which is no UTF-8, is left out", what)
		return ""
	case name == "" || isName.MatchString(name):
		return name
	}
	m.note(node, "its %s %q is left out", what, name)
	return ""
}

// shell quotes an argument for a shell. All that gets here is of the forms
// above; the quotes keep it one argument.
func shell(args []string) string {
	var all []string
	for _, arg := range args {
		if !isOptions.MatchString(arg) || arg == "" {
			arg = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
		all = append(all, arg)
	}
	return strings.Join(all, " ")
}
