package wc

import "errors"

// AskSvn has svn read all working copies of a tree, as if rootwc did not
// understand their databases.
func AskSvn(t *Tree) error {
	for _, c := range t.Copies {
		if err := c.ask(errors.New("as a test")); err != nil {
			return err
		}
	}
	return nil
}

// ReadRecord reads all of a wc.db, and says how many paths it has.
func ReadRecord(path string) (paths int, err error) {
	rec, err := openRecord(path, func(e error) { err = e })
	if err != nil {
		return 0, err
	}
	defer rec.close()
	for range rec.all() {
		paths++
	}
	return paths, err
}
