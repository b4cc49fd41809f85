package main

import (
	"runtime"
	"runtime/debug"
)

type versionCmd struct{}

// Help shows how it is used.
func (versionCmd) Help() string {
	return `Examples:

    weft version
    weft version --json
`
}

// Run prints the version.
func (versionCmd) Run(a *app) error {
	version := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		version = info.Main.Version
	}
	if a.JSON {
		return a.printJSON(struct {
			Version string `json:"version"`
			Go      string `json:"go"`
			OS      string `json:"os"`
			Arch    string `json:"arch"`
		}{version, runtime.Version(), runtime.GOOS, runtime.GOARCH})
	}
	a.stdout.Printf("weft %s\n", version)
	return nil
}
