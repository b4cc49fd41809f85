package arch

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"iter"
	"path"
	"strconv"
	"strings"
)

// modulePath is the import path of the package at the root.
const modulePath = "weft"

// A module is the parsed source of weft, whatever a file's build constraints.
type module struct {
	fset  *token.FileSet
	files []*source
}

// A source is one Go file.
type source struct {
	path    string // slash-separated, from the root of the module
	lines   int
	syntax  *ast.File
	imports map[string]string // import path by the name it has in this file
}

// load parses the Go files below the root of fsys. Folders that the go command
// leaves out of ./... are left out here too: those named with a dot or an
// underscore, testdata, vendor, and other modules.
func load(fsys fs.FS) (*module, error) {
	m := &module{fset: token.NewFileSet()}
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && foreign(fsys, name):
			return fs.SkipDir
		case entry.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		syntax, err := parser.ParseFile(m.fset, name, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		m.files = append(m.files, &source{
			path:    name,
			lines:   bytes.Count(text, []byte("\n")),
			syntax:  syntax,
			imports: importNames(syntax),
		})
		return nil
	})
	return m, err
}

// foreign reports whether the folder is not part of the module's packages.
func foreign(fsys fs.FS, dir string) bool {
	base := path.Base(dir)
	if base[0] == '.' || base[0] == '_' || base == "testdata" || base == "vendor" {
		return true
	}
	_, err := fs.Stat(fsys, path.Join(dir, "go.mod"))
	return err == nil
}

// importNames maps the names a file gives its imports to their paths. An
// import without a name gets the last element of its path, which holds for
// the standard library and for weft.
func importNames(f *ast.File) map[string]string {
	names := make(map[string]string)
	for _, spec := range f.Imports {
		p := unquote(spec.Path)
		name := path.Base(p)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = p
	}
	return names
}

// isTest reports whether only go test compiles the file.
func (s *source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// dir is the folder of the file, "." for the root.
func (s *source) dir() string { return path.Dir(s.path) }

// importPath is the path under which others import the file's package.
func (s *source) importPath() string { return path.Join(modulePath, s.dir()) }

// place names a declaration of the file the way allowed_test.go does.
func (s *source) place(decl string) string { return s.path + ":" + decl }

// decls yields every function, type, constant and variable of the file, by
// name: "Func", "Type.Method", or the first name of a list.
func (s *source) decls() iter.Seq2[string, ast.Node] {
	return func(yield func(string, ast.Node) bool) {
		for _, decl := range s.syntax.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				name := d.Name.Name
				if recv := receiver(d); recv != "" {
					name = recv + "." + name
				}
				if !yield(name, d) {
					return
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if name := specName(spec); name != "" && !yield(name, spec) {
						return
					}
				}
			}
		}
	}
}

// specName is the first name that a specification declares, "" for an import.
func specName(spec ast.Spec) string {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		return s.Name.Name
	case *ast.ValueSpec:
		return s.Names[0].Name
	}
	return ""
}

// receiver is the name of the type that d is a method of, "" for a function.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	typ := d.Recv.List[0].Type
	for {
		switch t := typ.(type) {
		case *ast.StarExpr:
			typ = t.X
		case *ast.IndexExpr:
			typ = t.X
		case *ast.IndexListExpr:
			typ = t.X
		case *ast.Ident:
			return t.Name
		default:
			return ""
		}
	}
}

// selected resolves pkg.Name to the package's import path and the name. The
// path is empty where n selects from something that is not an import.
func (s *source) selected(n ast.Node) (importPath, name string) {
	sel, ok := n.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	if x, ok := sel.X.(*ast.Ident); ok {
		importPath = s.imports[x.Name]
	}
	return importPath, sel.Sel.Name
}

// unquote is the value of a string literal, "" for any other literal.
func unquote(lit *ast.BasicLit) string {
	if lit.Kind != token.STRING {
		return ""
	}
	text, _ := strconv.Unquote(lit.Value) // the parser has accepted it
	return text
}
