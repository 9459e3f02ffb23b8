package main

type demoCmd struct{}

// Run is written next.
func (demoCmd) Run(a *app) error { return errNoDemo }
