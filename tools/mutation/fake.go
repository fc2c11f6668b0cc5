package main

import (
	"bytes"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
)

// fakePackage must answer as real servers do: its tests compare it with
// recorded answers, and a rule of it that is another must turn them red.
const fakePackage = "authentiktest"

// rule is one of the fake's, and another in its place.
type rule struct {
	name, file, is, made string
	killer               string
}

var fakeRules = []rule{
	{name: "the default page size since 2025.12", file: "versions.go", is: "r.defaultPageSize, r.maxPageSize = 20, 100", made: "r.defaultPageSize, r.maxPageSize = 100, 100"},
	{name: "the largest page size since 2025.12", file: "versions.go", is: "r.defaultPageSize, r.maxPageSize = 20, 100", made: "r.defaultPageSize, r.maxPageSize = 20, 0"},
	{name: "page_size=0 is a 500 in 2025.12", file: "versions.go", is: `r.since("2025.12") && !r.since("2026.2")`, made: "false"},
	{name: "page= is a 404 up to 2025.2", file: "versions.go", is: `r.emptyPageIsFirst = r.since("2025.4")`, made: "r.emptyPageIsFirst = true"},
	{name: "no permission is a 403 since 2023.10", file: "versions.go", is: `r.forbidsList = r.since("2023.10")`, made: "r.forbidsList = false"},
	{name: "a bad token is a 403, not a 401", file: "request.go", is: "http.StatusForbidden, q.denied", made: "http.StatusUnauthorized, q.denied"},
	{name: "the text of a 404 since 2025.4", file: "versions.go", is: `r.namesMissing = r.since("2025.4")`, made: "r.namesMissing = false"},
	{name: "no slash at the end is a redirect up to 2023.8", file: "versions.go", is: `r.redirectsSlash = !r.since("2023.10")`, made: "r.redirectsSlash = false"},
	{name: "a wrong path is a page of HTML", file: "routes.go", is: "return html(http.StatusNotFound)", made: `return reply{status: http.StatusNotFound, contentType: "application/json"}`},
	{name: "2025.10.0 says that it starts with status 200", file: "versions.go", is: "return r.routerAnswer(http.StatusOK,", made: "return r.routerAnswer(http.StatusServiceUnavailable,"},
	{name: "a server that died is a 502", file: "versions.go", is: "return r.routerAnswer(http.StatusBadGateway, failedToConnect+backendRefused", made: "return r.routerAnswer(http.StatusServiceUnavailable, failedToConnect+backendRefused"},
	{name: "autocomplete is there since 2025.8", file: "versions.go", is: `r.bareResults = !r.since("2025.8")`, made: "r.bareResults = true"},
	{name: "authentication is there since 2022.12", file: "models.go", is: `{"authentication", "2022.12"`, made: `{"authentication", "2023.10"`},
	{name: "a search looks at designations", file: "tables.go", is: "{name, slug, designation, title}", made: "{name, slug, title}"},
	{name: "flows are in the order of their slugs", file: "tables.go", is: `defaults:  []string{"slug", "name"}`, made: `defaults:  []string{"name"}`},
	{name: "the value that is not a choice is quoted", file: "filter.go", is: "Select a valid choice. %s is not", made: "Select a valid choice. %.0s is not"},
	{name: "ordering by stages repeats flows", file: "tables.go", is: `t.orderings["stages"] =`, made: `_ =`},
	{name: "X-Authentik-Id is on every answer", file: "answer.go", is: `set("X-Authentik-Id"`, made: `set("X-Id"`},
}

func (r rule) key() string { return fakePackage + "/" + r.file + ": " + r.name }

// tryRules runs the fake's tests with each of the wanted rules changed.
func tryRules(root, dir string, wanted *regexp.Regexp) ([]rule, error) {
	rules := slices.DeleteFunc(slices.Clone(fakeRules), func(r rule) bool { return !wanted.MatchString(r.key()) })
	for i := range rules {
		r := &rules[i]
		file := filepath.Join(root, fakePackage, r.file)
		source, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if n := bytes.Count(source, []byte(r.is)); n != 1 {
			return nil, fmt.Errorf("%s: %d times in %s: %s", r.name, n, r.file, r.is)
		}
		changed := filepath.Join(dir, "fake_"+r.file)
		if err := os.WriteFile(changed, bytes.Replace(source, []byte(r.is), []byte(r.made), 1), 0o600); err != nil {
			return nil, err
		}
		overlay := filepath.Join(dir, "fake_overlay.json")
		if err := writeOverlay(overlay, map[string]string{file: changed}); err != nil {
			return nil, err
		}
		build := exec.Command("go", "test", "-c", "-overlay", overlay, "-o", binary(dir, fakePackage), "./"+fakePackage)
		build.Dir, build.Stderr = root, os.Stderr
		if err := build.Run(); err != nil {
			return nil, fmt.Errorf("%s: %w", r.name, err)
		}
		r.killer = try(root, dir, fakePackage, none)
		log.Printf("%s: %s", r.key(), r.killer)
	}
	return rules, nil
}

// reportRules prints the table of them.
func reportRules(rules []rule) error {
	if len(rules) == 0 {
		return nil
	}
	fmt.Print("\n## Rules of the fake\n\nEach changed in turn, and the test of `authentiktest` that went red first.\n\n| rule | is | made | by |\n|---|---|---|---|\n")
	var survivors error
	for _, r := range rules {
		if r.killer == "" {
			survivors = errors.Join(survivors, fmt.Errorf("no test misses the rule: %s", r.key()))
		}
		fmt.Printf("| %s | %s | %s | %s |\n", r.name, cell(r.is), cell(r.made), r.killer)
	}
	return survivors
}
