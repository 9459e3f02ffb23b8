// Package probes writes down what is no file on a machine: how its storage is
// set up, and how it starts.
//
// A probe only ever reads. It reads the formats on the devices themselves, not
// the words of the tools that made them: the same bytes give the same text
// with any release of them, in a rescue system without any, and nothing is
// started. Who may not read the devices gets an error, never half a layout.
package probes
