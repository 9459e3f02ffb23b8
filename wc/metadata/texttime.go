package metadata

import (
	"fmt"
	"strings"
	"time"
)

// textTimeLayout is svn_time_to_cstring's: UTC with microseconds.
const textTimeLayout = "2006-01-02T15:04:05.000000Z"

// ParseTextTime reads svn:text-time, a modification time in UTC such as
// 2008-08-07T07:38:51.008782Z; the fraction may have any length.
func ParseTextTime(s string) (time.Time, error) {
	t, err := time.Parse("2006-01-02T15:04:05Z", strings.TrimSpace(s))
	if err != nil {
		return time.Time{}, fmt.Errorf("%.40q is no time such as %s", s, "2008-08-07T07:38:51.008782Z")
	}
	return t.UTC(), nil
}

// FormatTextTime writes a time as svn:text-time has it, cut to microseconds.
func FormatTextTime(t time.Time) string { return t.UTC().Format(textTimeLayout) }
