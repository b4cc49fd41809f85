package main

import (
	"runtime"
	"runtime/debug"
)

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(a *app) error {
	version := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		version = info.Main.Version
	}
	return a.emit(object("version", version, "go", runtime.Version(), "os", runtime.GOOS, "arch", runtime.GOARCH),
		"weft %s\n", version)
}
