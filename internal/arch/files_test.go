package arch

import (
	"go/ast"
	"slices"
	"strings"
)

// mayTouchFiles lists the folders that the rule does not look into: the package that
// opens the files of a project; those that have files of other kinds there, the
// store, pipes and sockets, and look at them themselves; those that read what the
// kernel says in the form of files; the command, whose files its user names; and
// what is only for tests.
var mayTouchFiles = []string{
	"internal/project",
	"broker/sqlite", "internal/notify", "internal/socket",
	"monitor", "internal/proc", "internal/title",
	"cmd/weft", "cmd/weft/testdata/host",
	"broker/brokertest", "monitor/monitortest", "internal/waittest",
}

// filesTouched finds functions that open, create or remove a file by a path, in which
// links are followed.
func filesTouched(m *module) (found []finding) {
	for _, s := range m.files {
		if s.isTest() || slices.Contains(mayTouchFiles, s.dir()) || strings.HasPrefix(s.path, "examples/") {
			continue
		}
		for decl, node := range s.decls() {
			for n := range ast.Preorder(node) {
				pkg, name := s.selected(n)
				if (pkg == "os" || pkg == "golang.org/x/sys/unix") && touches(name) {
					found = append(found, finding{s.place(decl), m.at(n.Pos()), decl + " uses " + pkg + "." + name})
					break
				}
			}
		}
	}
	return found
}

// touches reports whether a function of package os, or unix, changes or opens what a
// path leads to.
func touches(name string) bool {
	return slices.Contains([]string{
		"Open", "OpenFile", "OpenRoot", "OpenInRoot", "Openat", "Create", "CreateTemp", "ReadFile", "WriteFile", "ReadDir", "DirFS", "CopyFS",
		"Mkdir", "MkdirAll", "MkdirTemp", "Mkfifo", "Remove", "RemoveAll", "Rename", "Link", "Symlink", "Truncate", "Chmod", "Chown",
	}, name)
}
