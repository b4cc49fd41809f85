//go:build !linux || fsnotify

package notify

// makeFile makes the file of a channel.
func makeFile(path string) error { return createFile(path) }

// recheck does nothing, because the system reports deletions.
func recheck(*Notifier) {}
