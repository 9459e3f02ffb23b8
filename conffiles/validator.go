package conffiles

import (
	"path"
	"strings"
)

// Validator is a program that says whether the configuration of a machine can
// be used. It looks at the whole configuration as the machine would, with what
// is included and at the real paths: see [Sandbox.Check].
type Validator struct {
	Paths []string // patterns of path.Match; one that ends with /** takes all below
	Args  []string // the program and its arguments
	// Loads says that the configuration can name code that the program runs or
	// loads, modules for example.
	Loads   bool
	Scratch []string // directories below the root that it writes to: empty and private ones take their place
	Dirs    []string // directories that have to be in those
}

// validators are the programs that are known, each with a manual page of its
// own: sshd(8), visudo(8), nginx(8), postfix(1), apache2ctl(8),
// named-checkconf(1), rsyslogd(8), testparm(1).
var validators = []Validator{
	{Paths: []string{"etc/ssh/sshd_config", "etc/ssh/sshd_config.d/*.conf"}, Args: []string{"sshd", "-t"}, Dirs: []string{"run/sshd"}},
	{Paths: []string{"etc/sudoers", "etc/sudoers.d/*"}, Args: []string{"visudo", "--check"}},
	{Paths: []string{"etc/samba/smb.conf"}, Args: []string{"testparm", "--suppress-prompt"}},
	{
		Paths: []string{"etc/nginx/**"}, Args: []string{"nginx", "-t", "-q"}, Loads: true,
		Scratch: []string{"var/log", "var/lib/nginx"}, Dirs: []string{"var/log/nginx"},
	},
	{
		Paths: []string{"etc/apache2/**"}, Args: []string{"apache2ctl", "-t"}, Loads: true,
		Scratch: []string{"var/log"}, Dirs: []string{"var/log/apache2", "run/lock", "run/apache2"},
	},
	{Paths: []string{"etc/postfix/main.cf", "etc/postfix/master.cf"}, Args: []string{"postfix", "check"}, Loads: true},
	{Paths: []string{"etc/bind/**"}, Args: []string{"named-checkconf"}, Loads: true},
	{Paths: []string{"etc/rsyslog.conf", "etc/rsyslog.d/*.conf"}, Args: []string{"rsyslogd", "-N1"}, Loads: true},
}

// ValidatorOf finds the program that can check a path; nil when none is known.
func ValidatorOf(conffile string) *Validator {
	for i := range validators {
		for _, pattern := range validators[i].Paths {
			if below, all := strings.CutSuffix(pattern, "**"); all && strings.HasPrefix(conffile, below) {
				return &validators[i]
			}
			if ok, _ := path.Match(pattern, conffile); ok {
				return &validators[i]
			}
		}
	}
	return nil
}
