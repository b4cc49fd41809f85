package main

import (
	"cmp"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

type completionCmd struct {
	Shell string `arg:"" optional:"" enum:",bash,zsh,fish" default:"" help:"The shell: bash, zsh or fish (default: that of $SHELL)."`
}

// The scripts. They ask weft complete, and do what only a shell can: to complete
// names of files, and other commands.
var (
	//go:embed completion/weft.bash
	bashScript string
	//go:embed completion/weft.zsh
	zshScript string
	//go:embed completion/weft.fish
	fishScript string
)

// Run prints the script.
func (c *completionCmd) Run(a *app) error {
	shell := cmp.Or(c.Shell, filepath.Base(os.Getenv("SHELL")))
	script, known := map[string]string{"bash": bashScript, "zsh": zshScript, "fish": fishScript}[shell]
	if !known {
		return usageError{fmt.Sprintf("no completion for %q: give bash, zsh or fish", shell)}
	}
	return a.emit(object("script", script, "shell", shell), "%s\n", strings.TrimSpace(script))
}
