package main

import (
	"bytes"
	"cmp"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// reachedVariable names a file to which a test appends the mutants that it
// reaches.
const reachedVariable = "AUTHENTIK_REACHED"

// cheap tests of a package run together. Of the others, one runs at a time.
const cheap = 400 * time.Millisecond

// test is a test of a package, with what it costs and reaches. A mutant that it
// does not reach cannot turn it red.
type test struct {
	pkg, name string
	cost      time.Duration
	reached   map[int]bool
}

// reach runs each test alone. It fails if one is red.
func reach(root, dir string, pkgs []string, workers int) ([]test, error) {
	var all []test
	for _, pkg := range pkgs {
		list := exec.Command(binary(dir, pkg), "-test.list", ".")
		list.Dir, list.Stderr = filepath.Join(root, pkg), os.Stderr
		names, err := list.Output()
		if err != nil {
			return nil, fmt.Errorf("tests of %s: %w", pkg, err)
		}
		for name := range strings.FieldsSeq(string(names)) {
			if !strings.HasPrefix(name, "Benchmark") {
				all = append(all, test{pkg: pkg, name: name, reached: map[int]bool{}})
			}
		}
	}
	log.Printf("%d tests, each alone", len(all))
	errs := make([]error, len(all))
	inParallel(workers, len(all), func(i int) { errs[i] = all[i].reach(root, dir, filepath.Join(dir, fmt.Sprintf("reached_%d", i))) })
	return all, cmp.Or(errs...)
}

// reach runs the test, and reads what it reaches.
func (t *test) reach(root, dir, file string) error {
	began := time.Now()
	killer, err := try(root, dir, t.pkg, none, []string{reachedVariable + "=" + file}, "-test.short", "-test.run", pattern(t.name))
	t.cost = time.Since(began)
	switch {
	case err != nil:
		return err
	case killer != "":
		return fmt.Errorf("%s of %s is red without a mutant", killer, t.pkg)
	}
	lines, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) { // it reaches none
		return err
	}
	for line := range bytes.FieldsSeq(lines) {
		id := none
		if _, err := fmt.Sscan(string(line), &id); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		t.reached[id] = true
	}
	return nil
}

// group is tests of a package that run together.
type group struct {
	pkg   string
	names []string
}

// groups returns the tests that reach a mutant in the order in which they run:
// the cheap ones of each package, and then the others, from the cheapest on.
func groups(all []test, m *mutant) (groups []group) {
	var costly []test
	for _, pkg := range testsOf(m) {
		g := group{pkg: pkg}
		for _, t := range all {
			switch {
			case t.pkg != pkg || !t.reached[m.id]:
			case t.cost <= cheap:
				g.names = append(g.names, t.name)
			default:
				costly = append(costly, t)
			}
		}
		if len(g.names) > 0 {
			groups = append(groups, g)
		}
	}
	slices.SortFunc(costly, func(a, b test) int { return cmp.Compare(a.cost, b.cost) })
	for _, t := range costly {
		groups = append(groups, group{t.pkg, []string{t.name}})
	}
	return groups
}

// pattern returns a pattern of these tests alone.
func pattern(names ...string) string { return "^(" + strings.Join(names, "|") + ")$" }

// inParallel calls do with 0 to n-1, some at a time.
func inParallel(workers, n int, do func(int)) {
	next := make(chan int)
	var wait sync.WaitGroup
	for range max(workers, 1) {
		wait.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wait.Wait()
}
