package externals

import (
	"context"
	"path"
	"strings"

	"rootwc/internal/run"
	"rootwc/wc"
)

// FileDefinitions returns the function that a [wc.Tree] wants for its file
// externals: svn allows them only from the repository that defines them
// (W200007 otherwise), so only those URLs are asked about, in one question.
func FileDefinitions(client *wc.Client) wc.FileDefinitions {
	return func(ctx context.Context, user *run.User, at wc.DefiningCopy, values map[string]string) (map[string]string, error) {
		parsed := map[string]Definitions{}
		var ask []string
		each := func(visit func(dir string, def Definition, url string)) {
			for dir, defs := range parsed {
				for _, def := range defs.All() {
					url, err := Resolve(def, at.RepositoryRoot, at.DirURL(dir))
					if err == nil && strings.HasPrefix(url, at.RepositoryRoot+"/") && at.Versioned(parent(def.Path())) {
						visit(dir, def, url)
					}
				}
			}
		}
		for dir, value := range values {
			parsed[dir], _ = Parse(dir, value) // what is refused is told by Discover
		}
		each(func(_ string, def Definition, url string) {
			peg, _ := def.Revisions()
			ask = append(ask, url+"@"+peg.String())
		})
		kinds, err := client.Kinds(ctx, user, ask)
		if err != nil {
			return nil, err
		}
		files := map[string]string{}
		each(func(dir string, def Definition, url string) {
			if kinds[url] == "file" {
				only, _ := Parse(dir, files[dir])
				if next, err := only.Add(def); err == nil {
					files[dir] = next.String()
				}
			}
		})
		return files, nil
	}
}

// parent is the directory of a path, "" for the root of the working copy.
func parent(p string) string {
	if dir := path.Dir(p); dir != "." {
		return dir
	}
	return ""
}
