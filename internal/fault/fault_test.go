package fault

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"
)

// A point that is missing from Points would never be tested.
func TestPoints_ListsEveryConstant(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "fault.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	ast.Inspect(f, func(node ast.Node) bool {
		decl, ok := node.(*ast.GenDecl)
		if !ok || decl.Tok != token.CONST {
			return true
		}
		for _, spec := range decl.Specs {
			name, err := strconv.Unquote(spec.(*ast.ValueSpec).Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			n++
			if !slices.Contains(Points, name) && !slices.Contains(JailPoints, name) {
				t.Errorf("neither Points nor JailPoints has %q", name)
			}
		}
		return true
	})
	if n == 0 || n != len(Points)+len(JailPoints) {
		t.Errorf("%d constants, %d points", n, len(Points)+len(JailPoints))
	}
}
