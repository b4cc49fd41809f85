//go:build !unix

package bell

// openFlags are added to the open of the file; what Unix needs has no name here.
const openFlags = 0
