// Package doccheck checks documentation: every exported name has some, every
// function and method has an example whose output is checked, and links lead
// somewhere.
package doccheck

import (
	"bytes"
	"go/ast"
	"go/doc"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Package checks the package in a directory. Every exported function, type,
// method and group of values must have a doc comment, every exported function
// and method an example whose output is checked, and brackets in a doc comment
// must be a link. A method for which exempt returns true, such as "Type.Method",
// needs no example.
func Package(t *testing.T, dir, importPath string, exempt func(method string) bool) {
	t.Helper()
	p := load(t, dir, importPath)
	examples := 0
	check := func(name, text string, of []*doc.Example, needed bool) {
		if text == "" {
			t.Errorf("%s has no doc comment", name)
		}
		p.links(t, name, text)
		if needed && len(of) == 0 {
			t.Errorf("%s has no example", name)
		}
		for _, example := range of {
			examples++
			if example.Output == "" {
				t.Errorf("what %s's example prints is not checked", name)
			}
		}
	}
	check("the package", p.Doc, p.Examples, false)
	for _, f := range p.Funcs {
		check(f.Name, f.Doc, f.Examples, true)
	}
	for _, typ := range p.Types {
		check(typ.Name, typ.Doc, typ.Examples, false)
		for _, f := range typ.Funcs {
			check(f.Name, f.Doc, f.Examples, true)
		}
		for _, m := range typ.Methods {
			name := typ.Name + "." + m.Name
			check(name, m.Doc, m.Examples, !exempt(name))
		}
	}
	values := slices.Concat(p.Consts, p.Vars)
	for _, typ := range p.Types {
		values = slices.Concat(values, typ.Consts, typ.Vars)
	}
	for _, group := range values {
		check(strings.Join(group.Names, ", "), group.Doc, nil, false)
	}
	t.Logf("%d examples", examples)
}

type pkg struct{ *doc.Package }

func load(t *testing.T, dir, importPath string) pkg {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		file, err := parser.ParseFile(set, name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	p, err := doc.NewFromFiles(set, files, importPath)
	if err != nil {
		t.Fatal(err)
	}
	return pkg{p}
}

// bracketed is what is meant to be a link: go/doc leaves it as it is if it
// leads nowhere.
var bracketed = regexp.MustCompile(`\[\*?[\w./]+\]`)

func (p pkg) links(t *testing.T, name, text string) {
	t.Helper()
	for _, block := range p.Parser().Parse(text).Content {
		if _, code := block.(*comment.Code); code {
			continue
		}
		printed := p.Printer().Text(&comment.Doc{Content: []comment.Block{unlink(block)}})
		for _, dead := range bracketed.FindAll(printed, -1) {
			t.Errorf("the doc comment of %s: %s leads nowhere", name, dead)
		}
	}
}

// unlink takes out the links of a block: what is in brackets then is none.
func unlink(block comment.Block) comment.Block {
	plain := func(all []comment.Text) []comment.Text {
		return slices.DeleteFunc(slices.Clone(all), func(text comment.Text) bool {
			switch text.(type) {
			case *comment.DocLink, *comment.Link:
				return true
			}
			return false
		})
	}
	switch b := block.(type) {
	case *comment.Paragraph:
		return &comment.Paragraph{Text: plain(b.Text)}
	case *comment.Heading:
		return &comment.Heading{Text: plain(b.Text)}
	case *comment.List:
		list := &comment.List{}
		for _, item := range b.Items {
			one := &comment.ListItem{Number: item.Number}
			for _, content := range item.Content {
				one.Content = append(one.Content, unlink(content))
			}
			list.Items = append(list.Items, one)
		}
		return list
	}
	return block
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	fenced  = regexp.MustCompile("(?ms)^```.*?^```$")
	heading = regexp.MustCompile(`(?m)^#+ +(.*)$`)
	dropped = regexp.MustCompile(`[^\p{L}\p{N} _-]`) // from a heading, to make its anchor
)

// Markdown checks the links of all Markdown files below a directory to files
// and headings there. Those to elsewhere are not followed.
func Markdown(t *testing.T, root string) {
	t.Helper()
	links := 0
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(file) != ".md" {
			return err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for _, match := range link.FindAllSubmatch(fenced.ReplaceAll(text, nil), -1) {
			target := string(match[1])
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			links++
			to, fragment, _ := strings.Cut(target, "#")
			found := file
			if to != "" {
				found = filepath.Join(filepath.Dir(file), filepath.FromSlash(path.Clean(to)))
			}
			if _, err := os.Stat(found); err != nil {
				t.Errorf("%s: %s leads nowhere", file, target)
			} else if fragment != "" && !hasHeading(t, found, fragment) {
				t.Errorf("%s: %s: there is no such heading", file, target)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if links == 0 {
		t.Errorf("no links below %s", root)
	}
	t.Logf("%d links", links)
}

// hasHeading reports whether a file has a heading with that anchor, as GitHub
// makes them.
func hasHeading(t *testing.T, file, anchor string) bool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(heading.FindAllSubmatch(fenced.ReplaceAll(text, nil), -1), func(match [][]byte) bool {
		words := dropped.ReplaceAll(bytes.ToLower(match[1]), nil)
		return strings.ReplaceAll(string(words), " ", "-") == anchor
	})
}
