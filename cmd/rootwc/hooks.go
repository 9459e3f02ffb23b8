package main

type hooksCmd struct {
	ownHooks
}
