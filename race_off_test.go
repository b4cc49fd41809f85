//go:build !race

package weft_test

// slowness is how much longer than a user's build this one may take.
const slowness = 1
