package system

import (
	"fmt"

	"github.com/Masterminds/semver/v3"
)

// current is FormatVersion parsed.
var current = semver.MustParse(FormatVersion)

// checkFormat takes the value of format as it was decoded, nil or "" for none.
func checkFormat(value any) error {
	if value == nil || value == "" {
		return fmt.Errorf("format is missing; begin the file with format = %q", FormatVersion)
	}
	text, ok := value.(string)
	if !ok {
		return fmt.Errorf("format must be a string in quotes, as %q", FormatVersion)
	}
	v, err := semver.StrictNewVersion(text)
	switch {
	case err != nil:
		return fmt.Errorf("format %.60q is no version of three numbers, as %q", text, FormatVersion)
	case v.Major() > current.Major():
		return fmt.Errorf("format %s is newer than this rootwc, which knows %d.x; update rootwc", v, current.Major())
	case v.Major() < current.Major() || v.Prerelease() != "":
		return fmt.Errorf("format %s is not known; write %q", v, FormatVersion)
	}
	return nil
}

// newer reports whether a format may have keys that are not known here.
func newer(format any) bool {
	text, _ := format.(string)
	v, err := semver.StrictNewVersion(text)
	return err == nil && v.GreaterThan(current)
}
