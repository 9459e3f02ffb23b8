package osrelease

import (
	"maps"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, test := range []struct {
		text string
		want map[string]string
		err  string // a part of it; "" for none
	}{
		{"", map[string]string{}, ""},
		{"# ID=x\n\n  # y\nID=debian\n", map[string]string{"ID": "debian"}, ""},
		{"ID=a\nID=b", map[string]string{"ID": "b"}, ""},
		{"ID=\nB=\"\"\r\n", map[string]string{"ID": "", "B": ""}, ""},
		{`A="x y"` + "\n" + `B='$x \ "'`, map[string]string{"A": "x y", "B": `$x \ "`}, ""},
		{`A="\"\$\\\` + "`" + `\n"`, map[string]string{"A": "\"$\\`\\n"}, ""},
		{`A=x\ y`, map[string]string{"A": "x y"}, ""},
		{`A="b"'c'd`, map[string]string{"A": "bcd"}, ""},
		{"A=b # c", map[string]string{"A": "b"}, ""},
		{"A=b#c", map[string]string{"A": "b#c"}, ""},
		{"A=b=c", map[string]string{"A": "b=c"}, ""},

		{"A=b c\nB=d", map[string]string{"B": "d"}, `line 1: "c" follows the value`},
		{"A=1\nnonsense", map[string]string{"A": "1"}, `line 2: "nonsense" is no assignment`},
		{"A B=c", map[string]string{}, "no assignment"},
		{"1A=c", map[string]string{}, "no assignment"},
		{"=c", map[string]string{}, "no assignment"},
		{`A="x`, map[string]string{}, `quote " is never closed`},
		{`A='x\'y'`, map[string]string{}, `quote ' is never closed`},
		{`A=x\`, map[string]string{}, "ends with a backslash"},
		{"A=" + strings.Repeat("x", 1<<17), map[string]string{}, "token too long"},
	} {
		got, err := Parse(strings.NewReader(test.text))
		if !maps.Equal(got, test.want) {
			t.Errorf("Parse(%.40q) = %q, want %q", test.text, got, test.want)
		}
		if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("Parse(%.40q): error %v, want %q", test.text, err, test.err)
		}
	}
}

// FuzzParse writes what was read with shell quotes, and reads it
// again.
func FuzzParse(f *testing.F) {
	f.Add("ID=debian\nNAME=\"Debian GNU/Linux\" # x\n")
	f.Add("A='b'\\ \"c\\$\"\n=\nB=\"\\\n")
	f.Fuzz(func(t *testing.T, text string) {
		fields, _ := Parse(strings.NewReader(text))
		var b strings.Builder
		for name, value := range fields {
			b.WriteString(name + `="`)
			for i := range len(value) {
				if strings.IndexByte("$`\"\\", value[i]) >= 0 {
					b.WriteByte('\\')
				}
				b.WriteByte(value[i])
			}
			b.WriteString("\"\n")
		}
		again, err := Parse(strings.NewReader(b.String()))
		if err != nil && b.Len() < 1<<16 {
			t.Fatalf("%q read as %q: %v", text, fields, err)
		}
		if err == nil && !maps.Equal(again, fields) {
			t.Errorf("%q read as %q, then as %q", text, fields, again)
		}
	})
}
