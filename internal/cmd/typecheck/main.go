// Command typecheck type-checks the packages and tests of the module in the
// current directory for other systems, from source:
//
//	go run ./internal/cmd/typecheck linux/386 js/wasm
//
// It reports what the compiler would report, such as a constant that overflows
// an int of 32 bits or a name that a system lacks, in a few seconds for each
// system. The compiler takes a minute, because it compiles the standard library
// first.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	failed := false
	for _, system := range os.Args[1:] {
		n, err := check(system)
		if err != nil {
			failed = true
			fmt.Fprintf(os.Stderr, "%s: %v\n", system, err)
			continue
		}
		fmt.Fprintf(os.Stderr, "%s: %d packages\n", system, n)
	}
	if failed || len(os.Args) == 1 {
		os.Exit(1)
	}
}

// listed is a package as go list describes it. A package that was compiled for
// a test has its test files in GoFiles.
type listed struct {
	ImportPath, Dir, Name string
	GoFiles               []string
	ImportMap             map[string]string
	Standard              bool
	Module                *struct{ GoVersion string }
}

// check type-checks all packages for a system, and returns how many of them are
// not of the standard library.
func check(system string) (n int, err error) {
	goos, goarch, ok := strings.Cut(system, "/")
	if !ok || types.SizesFor("gc", goarch) == nil {
		return 0, errors.New("must be a system such as linux/386")
	}
	packages, err := list(goos, goarch)
	if err != nil {
		return 0, err
	}
	checked := map[string]*types.Package{"unsafe": types.Unsafe}
	var wrong []error
	for _, p := range packages { // dependencies come first
		if p.ImportPath == "unsafe" || strings.HasSuffix(p.ImportPath, ".test") {
			continue // the main package of a test, which go test generates
		}
		if checked[p.ImportPath], err = typeCheck(p, goarch, checked); err != nil {
			wrong = append(wrong, err)
		}
		if !p.Standard {
			n++
		}
	}
	return n, errors.Join(wrong...)
}

// list returns the packages of the module, their tests and all dependencies.
func list(goos, goarch string) (all []listed, err error) {
	fields := "-json=ImportPath,Dir,Name,GoFiles,ImportMap,Standard,Module"
	command := exec.Command("go", "list", "-deps", "-test", fields, "./...") //nolint:noctx // it ends by itself
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+goarch)
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
}

func typeCheck(p listed, goarch string, checked map[string]*types.Package) (*types.Package, error) {
	set := token.NewFileSet()
	var files []*ast.File
	for _, name := range p.GoFiles {
		file, err := parser.ParseFile(set, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	var wrong []error
	config := types.Config{
		Importer: importer(func(path string) (*types.Package, error) {
			if mapped, ok := p.ImportMap[path]; ok {
				path = mapped
			}
			if imported := checked[path]; imported != nil {
				return imported, nil
			}
			return nil, fmt.Errorf("no package %s", path)
		}),
		Sizes:            types.SizesFor("gc", goarch),
		IgnoreFuncBodies: p.Standard, // it is not ours to check
		Error: func(err error) {
			if !p.Standard { // where a body is not read, its imports look unused
				wrong = append(wrong, err)
			}
		},
	}
	if p.Module != nil && p.Module.GoVersion != "" {
		config.GoVersion = "go" + p.Module.GoVersion
	}
	pkg, _ := config.Check(p.ImportPath, set, files, nil) // the errors are in wrong
	return pkg, errors.Join(wrong...)
}

type importer func(path string) (*types.Package, error)

func (f importer) Import(path string) (*types.Package, error) { return f(path) }
