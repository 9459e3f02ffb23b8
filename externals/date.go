package externals

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// The date forms of Subversion 1.14 (svn help, "Revision arguments", and
// libsvn_subr/date.c). A fraction has up to six digits, a comma will do for
// the point, and an hour of one digit may stand without minutes: "{5}" is
// five o'clock today.
const (
	datePart  = `(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})`
	basicPart = `(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)`
	fraction  = `(?:[.,]\d{1,6})?`
	clockPart = `(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)` + fraction + `)?`
)

var dateForms = sync.OnceValue(func() []*regexp.Regexp {
	return []*regexp.Regexp{
		regexp.MustCompile(`^` + datePart + `$`),
		regexp.MustCompile(`^` + datePart + `T(?:\d|` + clockPart + `(?:Z|[-+](?P<zoneHour>\d\d)(?::?(?P<zoneMinute>\d\d))?)?)$`),
		regexp.MustCompile(`^` + datePart + ` (?:\d|` + clockPart + `(?: [-+](?P<zoneHour>\d\d)(?P<zoneMinute>\d\d)?)?)$`),
		regexp.MustCompile(`^` + basicPart + `$`),
		regexp.MustCompile(`^` + basicPart + `T(?P<hour>\d\d)(?P<minute>\d\d)(?:(?P<second>\d\d)` + fraction + `)?` +
			`(?:Z|[-+](?P<zoneHour>\d\d)(?P<zoneMinute>\d\d)?)?$`),
		regexp.MustCompile(`^(?:\d|` + clockPart + `)$`),
	}
})

// agoForm is "three days ago". Subversion compares a unit only as far as its
// singular goes, so "minutes" and "mint" are both minutes.
var agoForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^ *(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\+?\d{1,9}) +` +
		`(?:year|month|week|day|hour|min)[^ ]* +ago *$`)
})

// validDate reports whether Subversion understands s, the text between the
// braces of a date revision.
func validDate(s string) bool {
	if strings.HasSuffix(s, "ago") || strings.HasSuffix(s, " ") {
		return agoForm().MatchString(s)
	}
	for _, form := range dateForms() {
		if match := form.FindStringSubmatch(s); match != nil {
			return inRange(form, match)
		}
	}
	return false
}

// inRange checks the numbers of a date. Years before 1970 are refused by APR,
// which counts from there; second 60 is a leap second.
func inRange(form *regexp.Regexp, match []string) bool {
	part := map[string]int{"year": 1970, "month": 1, "day": 1}
	for i, name := range form.SubexpNames() {
		if name != "" && match[i] != "" {
			part[name], _ = strconv.Atoi(match[i]) // at most four digits, by the form
		}
	}
	days := [...]int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}
	year, month := part["year"], part["month"]
	if year < 1970 || month < 1 || month > 12 {
		return false
	}
	last := days[month-1]
	if month == 2 && year%4 == 0 && (year%100 != 0 || year%400 == 0) {
		last = 29
	}
	return part["day"] >= 1 && part["day"] <= last &&
		part["hour"] <= 23 && part["minute"] <= 59 && part["second"] <= 60 &&
		part["zoneHour"] <= 23 && part["zoneMinute"] <= 59
}
