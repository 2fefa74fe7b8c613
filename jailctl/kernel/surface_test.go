package kernel

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// exportedFuncs returns the signatures, without names of parameters, of the
// exported functions in the files of one system.
func exportedFuncs(t *testing.T, suffix string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	funcs := make(map[string]string)
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), suffix) {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), e.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || !f.Name.IsExported() {
				continue
			}
			name := f.Name.Name
			if f.Recv != nil {
				name = types.ExprString(f.Recv.List[0].Type) + "." + name
			}
			funcs[name] = fieldTypes(f.Type.Params) + " " + fieldTypes(f.Type.Results)
		}
	}
	return funcs
}

func fieldTypes(fields *ast.FieldList) string {
	var list []string
	if fields == nil {
		return ""
	}
	for _, f := range fields.List {
		for range max(1, len(f.Names)) {
			list = append(list, types.ExprString(f.Type))
		}
	}
	return "(" + strings.Join(list, ", ") + ")"
}

// A function that only FreeBSD has breaks the build of those who are developed
// elsewhere, and only there.
func TestSystems_HaveTheSameFunctions(t *testing.T) {
	freebsd, other := exportedFuncs(t, "_freebsd.go"), exportedFuncs(t, "_other.go")
	if len(freebsd) == 0 {
		t.Fatal("no functions found")
	}
	for _, name := range slices.Sorted(maps.Keys(freebsd)) {
		if freebsd[name] != other[name] {
			t.Errorf("%s: FreeBSD has %s, the others %q", name, freebsd[name], other[name])
		}
	}
	for name := range other {
		if _, ok := freebsd[name]; !ok {
			t.Errorf("%s is missing on FreeBSD", name)
		}
	}
}
