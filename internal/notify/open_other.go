//go:build !unix

package notify

// openFlags are the additional flags for opening the file of a channel; none are needed
// here.
const openFlags = 0
