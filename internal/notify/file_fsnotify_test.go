//go:build !linux || fsnotify

package notify

// makeBell makes what stands for a bell.
func makeBell(path string) error { return createFile(path) }

// inspect does nothing where the system tells that a file was deleted.
func inspect(*Notifier) {}
