package arch

import (
	"go/ast"
	"regexp"
	"slices"
	"strings"
)

// databaseFile matches a text that names the database or one of the two files
// that SQLite keeps beside it.
var databaseFile = regexp.MustCompile(`broker\.db|-(wal|shm)\b`)

// mayKnowDatabase lists the folders that these rules do not look into: the
// backend, and this package with its examples.
var mayKnowDatabase = []string{"broker/sqlite", "internal/arch"}

// databaseNamed finds declarations that name a database file, by a literal or
// through a constant, variable or function of the module that holds one.
func databaseNamed(m *module) []finding {
	found, _ := databaseMentions(m)
	return found
}

// databaseOpened finds functions that name a database file and also open a
// file, whichever: which path reaches which call is not worth following.
func databaseOpened(m *module) []finding {
	_, opened := databaseMentions(m)
	return opened
}

func databaseMentions(m *module) (named, opened []finding) {
	names := databaseNames(m)
	for _, s := range m.files {
		if slices.Contains(mayKnowDatabase, s.dir()) {
			continue
		}
		for decl, node := range s.decls() {
			mention := s.mention(node, names)
			if mention == nil {
				continue
			}
			named = append(named, finding{s.place(decl), m.at(mention.Pos()), decl + " names a database file"})
			if call := s.opening(node); call != nil {
				opened = append(opened, finding{s.place(decl), m.at(call.Pos()),
					decl + " names a database file and opens a file"})
			}
		}
	}
	return named, opened
}

// databaseNames gives the package-level constants, variables and functions
// through which a database file can be named, as "import/path.Name".
func databaseNames(m *module) map[string]bool {
	names := make(map[string]bool)
	for known := -1; known < len(names); { // one may be built from another
		known = len(names)
		for _, s := range m.files {
			for decl, node := range s.decls() {
				if yieldsText(node) && s.mention(node, names) != nil {
					names[s.importPath()+"."+decl] = true
				}
			}
		}
	}
	return names
}

// yieldsText reports whether a declaration may give a path to others: a
// constant or variable, or a function that returns a string.
func yieldsText(decl ast.Node) bool {
	switch d := decl.(type) {
	case *ast.ValueSpec:
		return true
	case *ast.FuncDecl:
		return d.Recv == nil && d.Type.Results != nil &&
			slices.ContainsFunc(d.Type.Results.List, func(f *ast.Field) bool {
				typ, ok := f.Type.(*ast.Ident)
				return ok && typ.Name == "string"
			})
	}
	return false
}

// mention is the first place in decl that names a database file, nil if none.
func (s *source) mention(decl ast.Node, names map[string]bool) (found ast.Node) {
	own := s.importPath() + "."
	ast.Inspect(decl, func(n ast.Node) bool {
		if found != nil {
			return false
		}
		switch x := n.(type) {
		case *ast.BasicLit:
			if databaseFile.MatchString(unquote(x)) {
				found = x
			}
		case *ast.Ident:
			if names[own+x.Name] {
				found = x
			}
		case *ast.SelectorExpr:
			// What is selected is a field, a method, or another package's.
			if pkg, name := s.selected(x); names[pkg+"."+name] {
				found = x
			} else {
				found = s.mention(x.X, names)
			}
			return false
		}
		return found == nil
	})
	return found
}

// opening is the first call in decl that opens a file, as a function of a
// package or as a method of a root or file system; nil if none. Weft's own
// Open functions are how a database should be opened.
func (s *source) opening(decl ast.Node) ast.Node {
	opens := []string{"Open", "OpenFile", "Openat", "Create", "ReadFile", "WriteFile"}
	for n := range ast.Preorder(decl) {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			continue
		}
		pkg, name := s.selected(call.Fun)
		own := pkg == modulePath || strings.HasPrefix(pkg, modulePath+"/")
		if slices.Contains(opens, name) && !own {
			return call
		}
	}
	return nil
}
