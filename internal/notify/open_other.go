//go:build !unix

package notify

// openFlags are added to each open of a bell; what Unix needs has no name here.
const openFlags = 0
