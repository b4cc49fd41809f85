package weft

import "io/fs"

// Ownership and mounts are not looked at here.
func ownedByUs(fs.FileInfo) bool      { return true }
func ownerName(fs.FileInfo) string    { return "" }
func sameFilesystem(_, _ string) bool { return true }
