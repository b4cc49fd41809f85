//go:build race

package waittest

// raceFactor: programs with the race detector start several times slower.
const raceFactor = 3
