package arch

import (
	"cmp"
	"fmt"
	"go/ast"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

const (
	maxLines     = 500 // of a file that is not a test
	maxRootFiles = 30  // in the root of the module, which a user sees first
)

// sleeps finds uses of time.Sleep, called or not. In a synctest bubble time is
// fake and sleeping is the way to advance it, so that is not looked into.
func sleeps(m *module) (found []finding) {
	for _, s := range m.files {
		for decl, node := range s.decls() {
			ast.Inspect(node, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok {
					pkg, name := s.selected(call.Fun)
					return pkg != "testing/synctest" || name != "Test"
				}
				if pkg, name := s.selected(n); pkg == "time" && name == "Sleep" {
					found = append(found, finding{s.place(decl), m.at(n.Pos()), "time.Sleep in " + decl})
				}
				return true
			})
		}
	}
	return found
}

// unimplemented finds panics that stand for code still to be written.
func unimplemented(m *module) (found []finding) {
	for _, s := range m.files {
		for decl, node := range s.decls() {
			for n := range ast.Preorder(node) {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					continue
				}
				if fun, ok := call.Fun.(*ast.Ident); !ok || fun.Name != "panic" {
					continue
				}
				for arg := range ast.Preorder(call.Args[0]) {
					lit, ok := arg.(*ast.BasicLit)
					if ok && saysUnimplemented(strings.ToLower(unquote(lit))) {
						found = append(found, finding{s.place(decl), m.at(lit.Pos()), decl + " panics as unimplemented"})
					}
				}
			}
		}
	}
	return found
}

func saysUnimplemented(text string) bool {
	return strings.HasPrefix(text, "unimplemented") || strings.HasPrefix(text, "not implemented") ||
		strings.HasPrefix(text, "todo")
}

// inits finds init functions that a program would run by importing a library.
func inits(m *module) (found []finding) {
	for _, s := range m.files {
		if s.isTest() || s.syntax.Name.Name == "main" {
			continue
		}
		for decl, node := range s.decls() {
			if decl == "init" {
				found = append(found, finding{s.place(decl), m.at(node.Pos()), "func init in a library package"})
			}
		}
	}
	return found
}

// vagueNames finds packages whose name says nothing about what they hold.
func vagueNames(m *module) []finding {
	vague := []string{"util", "utils", "common", "helper", "helpers", "base", "misc"}
	byFolder := make(map[string]finding)
	for _, s := range m.files {
		name := strings.TrimSuffix(s.syntax.Name.Name, "_test")
		if slices.Contains(vague, name) || slices.Contains(vague, path.Base(s.dir())) {
			byFolder[s.dir()] = finding{s.dir(), m.at(s.syntax.Package), fmt.Sprintf("package %s in %s", name, s.dir())}
		}
	}
	return sorted(byFolder)
}

// longFiles finds files, tests aside, of more than maxLines lines.
func longFiles(m *module) (found []finding) {
	for _, s := range m.files {
		if !s.isTest() && s.lines > maxLines {
			found = append(found, finding{s.path, s.path, fmt.Sprintf("%d lines, at most %d", s.lines, maxLines)})
		}
	}
	return found
}

// crowdedRoot finds more files than the root of the module should have.
func crowdedRoot(m *module) []finding {
	n := 0
	for _, s := range m.files {
		if s.dir() == "." {
			n++
		}
	}
	if n <= maxRootFiles {
		return nil
	}
	return []finding{{".", ".", fmt.Sprintf("%d Go files, at most %d", n, maxRootFiles)}}
}

// coined are words that this module once used in a sense of its own; a reader would have
// to learn them.
var coined = strings.Fields(`
	acquaintance agenda animal bell bells cage census deaf desk dismiss duty ears forge frozen
	guest herd hire horizon hosted lend meet mourn murder naked obey performance reborn rehearse
	ring rings settle shelf stranger summon supply tenure visit wire wired zoo`)

// wordsOf are the words of an identifier.
var wordsOf = regexp.MustCompile(`[A-Z]?[a-z]+|[A-Z]+`)

// coinedWords finds identifiers of the product with such words.
func coinedWords(m *module) []finding {
	found := make(map[string]finding)
	for _, s := range m.files {
		if s.isTest() || testOnly(s.importPath()) || strings.HasPrefix(s.path, "examples/") {
			continue
		}
		for n := range ast.Preorder(s.syntax) {
			id, ok := n.(*ast.Ident)
			if !ok {
				continue
			}
			for _, word := range wordsOf.FindAllString(id.Name, -1) {
				if place := s.path + ":" + id.Name; slices.Contains(coined, strings.ToLower(word)) {
					found[place] = finding{place, m.at(id.Pos()), id.Name + " has the word " + word}
				}
			}
		}
	}
	return sorted(found)
}

// sorted gives the findings in the order of their keys.
func sorted(byKey map[string]finding) []finding {
	return slices.SortedFunc(maps.Values(byKey), func(a, b finding) int { return cmp.Compare(a.place, b.place) })
}
