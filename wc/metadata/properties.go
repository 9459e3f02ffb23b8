package metadata

// The versioned properties that hold metadata. Subversion reserves the first
// five (svn_props.h, there for FSVS and svntar); the others are ours.
const (
	PropOwner      = "svn:owner"      // "1000 anna"
	PropGroup      = "svn:group"      // "1000 anna"
	PropMode       = "svn:unix-mode"  // "0640", "04755"; see the package comment for files with an ACL
	PropTextTime   = "svn:text-time"  // "2008-08-07T07:38:51.008782Z", read and never written by Properties
	PropExecutable = "svn:executable" // "*" when the owner of a file may execute it
	PropACL        = "rootwc:acl"     // see FormatACL
	PropXattr      = "rootwc:xattr"   // see FormatXattrs
	PropSpecial    = "rootwc:special" // "fifo" on an empty file
	PropDefaults   = "rootwc:defaults"
)

// PropertyNames lists the properties that [Properties] may return.
var PropertyNames = []string{PropOwner, PropGroup, PropMode, PropExecutable, PropACL, PropXattr, PropSpecial}

// specialFifo is the one value of rootwc:special.
const specialFifo = "fifo"

// Properties returns the versioned properties that record v: those whose value
// differs from the default, and svn:executable. It is nil when nothing needs
// saying, and for devices and sockets, which are not versioned.
func Properties(v Values, def Defaults, names Names) map[string]string {
	if v.Kind == Device || v.Kind == Socket {
		return nil
	}
	var props map[string]string
	set := func(name, value string) {
		if props == nil {
			props = map[string]string{}
		}
		props[name] = value
	}
	if v.UID != def.UID {
		set(PropOwner, users(names).text(v.UID))
	}
	if v.GID != def.GID {
		set(PropGroup, groups(names).text(v.GID))
	}
	if v.Kind == Symlink {
		return props
	}
	if v.executable() {
		set(PropExecutable, "*")
	}
	if mode := v.PlainMode(); mode != def.mode(v.Kind, v.executable()) {
		set(PropMode, formatMode(mode))
	}
	if v.ACL != nil || v.DefaultACL != nil {
		set(PropACL, FormatACL(v.ACL, v.DefaultACL, names))
	}
	if len(v.Xattrs) > 0 {
		set(PropXattr, FormatXattrs(v.Xattrs))
	}
	if v.Kind == Fifo {
		set(PropSpecial, specialFifo)
	}
	return props
}

// executable reports whether svn:executable belongs on the node: a regular file
// that its owner may execute.
func (v *Values) executable() bool { return v.Kind == File && v.Mode&0o100 != 0 }
