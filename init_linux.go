package weft

// selfPath is this program, also when its file has been deleted or replaced
// since it was started, as `go run` does.
func selfPath() (string, error) { return "/proc/self/exe", nil }
