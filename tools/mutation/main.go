// Command mutation disables each guard of the library, one at a time, and
// tells which test goes red:
//
//	cd tools/mutation && go run . > REPORT.md
//
// A guard is a condition of an if, of a case without a tag, or that a function
// returns. Of a || b each side is made false, of a && b each side true. All
// mutants are in one build, switched on by an environment variable, so that
// each costs a run of the tests that reach it (see reach.go) and no compilation.
// Rules of the fake server are changed, too: see fake.go.
//
// It exits with 1 if a mutant survives that survivors.txt does not explain, or
// if that explains one that does not survive.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	variable = "AUTHENTIK_MUTANT" // the number of the one that is switched on
	none     = -1                 // no mutant's number
	timeout  = 2 * time.Minute    // of a run of the tests; a mutant that hangs is caught, too
)

// packages are those whose guards are disabled.
var packages = []string{"internal/wire", "internal/transport", "challenge", "."}

// suites are the packages whose tests run after those of a guard's own package,
// in this order, except for those that likely lists.
var suites = []string{
	"internal/suite/faults", "internal/suite/api", ".", "internal/suite/session", "internal/suite/transport", "internal/suite/schema",
	"internal/suite/replay", "internal/suite/performance", "internal/suite/live", "authentiktest",
}

// likely lists the suites that most likely find a guard of a file missing, so
// that they run first.
var likely = []struct {
	files  *regexp.Regexp
	suites []string
}{
	{regexp.MustCompile(`^(session|run|login|inspector|errors_flow)\.go`), []string{"internal/suite/session"}},
	{regexp.MustCompile(`^internal/wire/|^challenge/`), []string{"internal/suite/schema"}},
	{regexp.MustCompile(`^[a-z_]+\.go`), []string{"internal/suite/api"}},
}

// testsOf returns the packages whose tests run for a mutant.
func testsOf(m *mutant) (all []string) {
	if !slices.Contains(suites, m.pkg) {
		all = append(all, m.pkg)
	}
	for _, l := range likely {
		if l.files.MatchString(m.place) {
			all = append(all, l.suites...)
			break
		}
	}
	for _, suite := range suites {
		if !slices.Contains(all, suite) {
			all = append(all, suite)
		}
	}
	return all
}

// mutant is a guard, or one side of it, that can be switched off.
type mutant struct {
	id         int
	pkg, place string // file and function
	line       int
	guard      string // its source
	makes      bool   // what it is made
	killer     string // the test that went red; "" if it survived
}

func (m *mutant) key() string { return fmt.Sprintf("%s: %s = %t", m.place, m.guard, m.makes) }

func main() {
	log.SetFlags(0)
	only := flag.String("only", "", "a regular expression of the mutants to try, such as call.go")
	workers := flag.Int("workers", 2, "runs at a time")
	flag.Parse()
	if err := run(*only, *workers); err != nil {
		log.Fatal("mutation: ", err)
	}
}

func run(only string, workers int) error {
	wanted, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mutation")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	mutants, overlay, err := instrument(root, dir)
	if err != nil {
		return err
	}
	pkgs := slices.Compact(slices.Sorted(slices.Values(slices.Concat(packages, suites))))
	for _, pkg := range pkgs {
		build := exec.Command("go", "test", "-c", "-overlay", overlay, "-o", binary(dir, pkg), "./"+pkg)
		build.Dir, build.Stderr = root, os.Stderr
		if err := build.Run(); err != nil {
			return fmt.Errorf("build of %s: %w", pkg, err)
		}
	}
	tests, err := reach(root, dir, pkgs, workers)
	if err != nil {
		return err
	}
	mutants = slices.DeleteFunc(mutants, func(m mutant) bool { return !wanted.MatchString(m.key()) })

	log.Printf("%d mutants", len(mutants))
	errs := make([]error, len(mutants))
	inParallel(workers, len(mutants), func(i int) {
		m := &mutants[i]
		errs[i] = m.try(root, dir, tests)
		log.Printf("%s:%d %s: %s", m.place, m.line, m.guard, m.killer)
	})
	if err := errors.Join(errs...); err != nil {
		return err
	}
	rules, err := tryRules(root, dir, wanted)
	if err != nil {
		return err
	}
	return errors.Join(report(mutants, wanted), reportRules(rules))
}

func binary(dir, pkg string) string {
	return filepath.Join(dir, strings.ReplaceAll(pkg, "/", "_")+".test")
}

// instrument writes the sources of all packages with a switch at each guard,
// and the overlay that puts them in the place of the real ones.
func instrument(root, dir string) ([]mutant, string, error) {
	var mutants []mutant
	replace := map[string]string{}
	for _, pkg := range packages {
		files, err := filepath.Glob(filepath.Join(root, pkg, "*.go"))
		if err != nil {
			return nil, "", err
		}
		name := ""
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			set := token.NewFileSet()
			source, err := parser.ParseFile(set, file, nil, parser.SkipObjectResolution)
			if err != nil {
				return nil, "", err
			}
			name = source.Name.Name
			relative, err := filepath.Rel(root, file)
			if err != nil {
				return nil, "", err
			}
			found := guards(set, source, len(mutants))
			for i := range found {
				found[i].pkg, found[i].place = pkg, relative+" "+found[i].place
			}
			mutants = append(mutants, found...)
			var text bytes.Buffer
			if err := printer.Fprint(&text, set, source); err != nil {
				return nil, "", err
			}
			replace[file] = filepath.Join(dir, strings.ReplaceAll(relative, string(filepath.Separator), "_"))
			if err := os.WriteFile(replace[file], text.Bytes(), 0o600); err != nil {
				return nil, "", err
			}
		}
		switches := filepath.Join(dir, strings.ReplaceAll(pkg, "/", "_")+"_switch.go")
		if err := os.WriteFile(switches, fmt.Appendf(nil, switchSource, name, variable, reachedVariable), 0o600); err != nil {
			return nil, "", err
		}
		replace[filepath.Join(root, pkg, "mutation_switch.go")] = switches
	}
	overlay := filepath.Join(dir, "overlay.json")
	return mutants, overlay, writeOverlay(overlay, replace)
}

// switchSource is added to each package. What a guard calls must not allocate,
// because tests count allocations.
const switchSource = `package %s

import (
	"os"
	"sync"
)

var (
	mutantOn    = os.Getenv(%q)
	reachedFile = os.Getenv(%q)
	reachedMu   sync.Mutex
	reached     = map[string]bool{}
)

func mutated(id string) bool {
	if reachedFile != "" {
		reachedMu.Lock()
		defer reachedMu.Unlock()
		if !reached[id] {
			reached[id] = true
			file, err := os.OpenFile(reachedFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
			if err != nil {
				panic(err)
			}
			defer file.Close()
			if _, err := file.WriteString(id + "\n"); err != nil {
				panic(err)
			}
		}
	}
	return mutantOn == id
}
`

// writeOverlay writes what go build's -overlay reads.
func writeOverlay(file string, replace map[string]string) error {
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}

// guards puts a switch at each guard of a file, and lists them.
func guards(set *token.FileSet, file *ast.File, id int) []mutant {
	var all []mutant
	for _, declaration := range file.Decls {
		function, ok := declaration.(*ast.FuncDecl)
		if !ok || function.Body == nil {
			continue
		}
		name := function.Name.Name
		if function.Recv != nil {
			name = strings.TrimPrefix(source(set, function.Recv.List[0].Type), "*") + "." + name
		}
		add := func(e ast.Expr, makes bool) ast.Expr {
			m := mutant{id: id + len(all), place: name, line: set.Position(e.Pos()).Line, guard: source(set, e), makes: makes}
			all = append(all, m)
			switched := ast.Expr(&ast.CallExpr{Fun: ast.NewIdent("mutated"), Args: []ast.Expr{
				&ast.BasicLit{Kind: token.STRING, Value: strconv.Quote(strconv.Itoa(m.id))},
			}})
			op := token.LOR
			if !makes {
				op, switched = token.LAND, &ast.UnaryExpr{Op: token.NOT, X: switched}
			}
			return &ast.ParenExpr{X: &ast.BinaryExpr{X: switched, Op: op, Y: e}}
		}
		var sides func(e ast.Expr, makes bool) ast.Expr
		sides = func(e ast.Expr, makes bool) ast.Expr {
			switch e := e.(type) {
			case *ast.ParenExpr:
				e.X = sides(e.X, makes)
				return e
			case *ast.BinaryExpr:
				if e.Op == token.LOR || e.Op == token.LAND {
					e.X, e.Y = sides(e.X, e.Op == token.LAND), sides(e.Y, e.Op == token.LAND)
					return e
				}
			}
			return add(e, makes)
		}
		ast.Inspect(function.Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.IfStmt:
				n.Cond = sides(n.Cond, false)
			case *ast.SwitchStmt:
				if n.Tag != nil {
					break
				}
				for _, clause := range n.Body.List {
					list := clause.(*ast.CaseClause).List
					for i := range list {
						list[i] = sides(list[i], false)
					}
				}
			case *ast.ReturnStmt:
				for i, e := range n.Results {
					if b, ok := e.(*ast.BinaryExpr); ok && (b.Op == token.LOR || b.Op == token.LAND) {
						n.Results[i] = sides(e, false)
					}
				}
			}
			return true
		})
	}
	return all
}

func source(set *token.FileSet, n ast.Node) string {
	var text bytes.Buffer
	if err := printer.Fprint(&text, set, n); err != nil {
		log.Fatal(err) // of a tree that has just been parsed
	}
	return strings.Join(strings.Fields(text.String()), " ")
}

var failed = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)

// try runs tests of a package with a mutant switched on, and returns the one that
// went red first.
func try(root, dir, pkg string, id int, environment []string, arguments ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	arguments = append(arguments, "-test.failfast", "-test.timeout", (timeout - 10*time.Second).String())
	command := exec.CommandContext(ctx, binary(dir, pkg), arguments...)
	command.Dir = filepath.Join(root, pkg)
	command.Env = append(append(os.Environ(), variable+"="+strconv.Itoa(id)), environment...)
	output, err := command.CombinedOutput()
	if err == nil {
		return "", nil
	}
	if _, ok := errors.AsType[*exec.ExitError](err); !ok {
		return "", err
	}
	longest := ""
	for _, name := range failed.FindAllSubmatch(output, -1) { // the deepest subtest
		if n := string(name[1]); longest == "" || strings.HasPrefix(n, longest+"/") {
			longest = n
		}
	}
	switch {
	case longest != "":
		return longest, nil
	case bytes.Contains(output, []byte("panic: test timed out")) || ctx.Err() != nil:
		return "(hangs)", nil
	default:
		return "(panics)", nil
	}
}

// try runs the tests that reach the mutant until one goes red.
func (m *mutant) try(root, dir string, tests []test) (err error) {
	for _, g := range groups(tests, m) {
		m.killer, err = try(root, dir, g.pkg, m.id, nil, "-test.short", "-test.run", pattern(g.names...))
		if m.killer != "" || err != nil {
			break
		}
	}
	return err
}

// report prints the table, and compares the survivors with their explanations.
func report(mutants []mutant, wanted *regexp.Regexp) error {
	explained, err := explanations()
	if err != nil {
		return err
	}
	survived, surviving := 0, map[string]bool{}
	var problems []error
	fmt.Print("# Mutation report\n\nMade by `cd tools/mutation && go run . > REPORT.md`: each guard of the library, disabled, and the test that went red first.\n\n")
	for _, m := range mutants {
		if m.killer != "" {
			continue
		}
		survived++
		surviving[m.key()] = true
		if explained[m.key()] == "" {
			problems = append(problems, fmt.Errorf("survives: %s", m.key()))
		}
	}
	fmt.Printf("%d mutants, %d caught, %d survived.\n", len(mutants), len(mutants)-survived, survived)
	if survived > 0 {
		fmt.Print("\n## Survivors\n\n| guard | made | why it survives |\n|---|---|---|\n")
	}
	for _, m := range mutants {
		if m.killer == "" {
			fmt.Printf("| %s: %s | %t | %s |\n", m.place, cell(m.guard), m.makes, explained[m.key()])
		}
	}
	for key := range explained { // of several that read alike, one suffices
		if wanted.MatchString(key) && !surviving[key] {
			problems = append(problems, fmt.Errorf("explained, and yet it does not survive: %s", key))
		}
	}
	fmt.Print("\n## Caught\n\n| guard | made | by |\n|---|---|---|\n")
	for _, m := range mutants {
		if m.killer != "" {
			fmt.Printf("| %s: %s | %t | %s |\n", m.place, cell(m.guard), m.makes, strings.ReplaceAll(m.killer, "|", `\|`))
		}
	}
	return errors.Join(problems...)
}

func cell(code string) string { return "`" + strings.ReplaceAll(code, "|", `\|`) + "`" }

// explanations reads survivors.txt: a line with a mutant's key, and an
// indented one that says why no test can tell.
func explanations() (map[string]string, error) {
	text, err := os.ReadFile("survivors.txt")
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	key := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		switch why, indented := strings.CutPrefix(line, "\t"); {
		case indented && key != "":
			all[key] = why
		case line != "" && !strings.HasPrefix(line, "#"):
			key = line
		}
	}
	return all, nil
}
