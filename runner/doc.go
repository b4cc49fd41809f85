// Package runner runs commands: with their input and output, a timeout and limits, until
// they and everything that they have started are gone. It needs neither a project nor a
// manager. The tasks of a project are run by consumers, with the same code.
package runner
