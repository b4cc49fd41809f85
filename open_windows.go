package weft

import "io/fs"

// Ownership and mounts are not looked at here.
func ownerName(fs.FileInfo) string    { return "" }
func sameFilesystem(_, _ string) bool { return true }
