//go:build !faultpoints

package fault

// At does nothing in this build.
func At(string) {}
