package wc

import (
	"rootwc/internal/run"
	"rootwc/wc/metadata"
)

// defaultsOf are the defaults at the root of a working copy: in one that
// belongs to an ordinary user, files are that user's. The property
// rootwc:defaults on a directory sets others for the tree below it.
func defaultsOf(user *run.User) metadata.Defaults {
	def := metadata.StandardDefaults
	if user != nil {
		def.UID, def.GID = user.UID, user.GID
	}
	return def
}

// defaults are those in force at rel, given those at the root.
func (rec *record) defaults(rel string, names metadata.Names, def metadata.Defaults) metadata.Defaults {
	for i := 0; i < len(rel); i++ {
		if i > 0 && rel[i] != '/' {
			continue
		}
		n := rec.dir(rel[:i])
		if n == nil || n.top().props == "" && n.actual == nil {
			continue
		}
		if v := n.props()[metadata.PropDefaults]; v != "" {
			if d, _, err := metadata.ParseDefaults(v, def, names); err == nil {
				def = d
			}
		}
	}
	return def
}

// defaultsAt are the defaults in force at a path of a live working copy.
func (c *Copy) defaultsAt(rel string) metadata.Defaults {
	return c.record().defaults(rel, c.tree.Names, defaultsOf(c.user))
}

// ownerDefaults is the rootwc:defaults that a working copy of an ordinary user
// needs, so that another machine gives its files to the same user; "" when it
// has one or needs none.
func (c *Copy) ownerDefaults() string {
	if c.user == nil || c.record().root == nil || hasKey(c.record().root.props(), metadata.PropDefaults) {
		return ""
	}
	return metadata.FormatDefaults(defaultsOf(c.user), metadata.StandardDefaults, c.tree.Names)
}
