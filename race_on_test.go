//go:build race

package weft_test

// slowness is how much longer than a user's build this one may take: the race
// detector makes processes start several times slower.
const slowness = 3
