package arch

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
)

// standalone are the packages below the root that a program can use alone.
var standalone = []string{"manager", "runner", "monitor", "broker", "taskspec"}

// mayShowInternal lists declarations of these packages that name a type of an internal
// package.
var mayShowInternal = map[string]string{
	"manager/service.go:Autostart": "is for the product, which has the services of a project; without it a manager starts none",
}

// internalShown finds exported declarations of these packages that name a type of an
// internal package: other programs could not use them.
func internalShown(m *module) (found []finding) {
	for _, s := range m.files {
		if s.isTest() || !slices.Contains(standalone, s.dir()) {
			continue
		}
		for decl, node := range s.decls() {
			for part := range strings.SplitSeq(decl, ".") {
				if !ast.IsExported(part) {
					node = nil
				}
			}
			for _, shown := range signature(node) {
				for n := range ast.Preorder(shown) {
					if pkg, name := s.selected(n); strings.HasPrefix(pkg, modulePath+"/internal/") {
						found = append(found, finding{s.place(decl), m.at(n.Pos()), fmt.Sprintf("%s shows %s.%s", decl, pkg, name)})
					}
				}
			}
		}
	}
	return found
}

// signature returns the parts of a declaration that a program which uses it sees.
func signature(node ast.Node) (parts []ast.Node) {
	var visible func(ast.Expr)
	visible = func(e ast.Expr) {
		var fields *ast.FieldList
		switch t := e.(type) {
		case *ast.StructType:
			fields = t.Fields
		case *ast.InterfaceType:
			fields = t.Methods
		case nil:
			return
		default:
			parts = append(parts, e)
			return
		}
		for _, f := range fields.List {
			if len(f.Names) == 0 || slices.ContainsFunc(f.Names, (*ast.Ident).IsExported) {
				visible(f.Type)
			}
		}
	}
	switch d := node.(type) {
	case *ast.FuncDecl:
		parts = append(parts, d.Type)
	case *ast.TypeSpec:
		visible(d.Type)
	case *ast.ValueSpec:
		visible(d.Type)
	}
	return parts
}
