//go:build !race

package waittest

const raceFactor = 1
