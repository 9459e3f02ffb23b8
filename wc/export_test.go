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
