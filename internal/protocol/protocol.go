// Package protocol has the one number that says which versions of Weft understand each
// other: what goes over their connections, what the records and the store hold.
package protocol

// Version is this version's. Whoever changes what another process reads, be it from a
// connection or from the store, so that the one before would misread it, counts it on.
const Version = 5
