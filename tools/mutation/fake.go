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
	{name: "a response that is accepted is a 302", file: "engine.go", is: "status: http.StatusFound, contentType: notJSON, location: to", made: "status: http.StatusSeeOther, contentType: notJSON, location: to"},
	{name: "a flow that begins drops another one", file: "engine.go", is: "v.session.plan.flow != v.flow.PK", made: "false"},
	{name: "a method that is refused is an error of the flow", file: "engine.go", is: "v.Method != http.MethodGet && v.Method != http.MethodPost", made: "false"},
	{name: "a next that leaves the server is denied", file: "engine.go", is: `next == "" || foreign(next)`, made: `next == ""`},
	{name: "an authentication flow sends on who is logged in since 2025.10", file: "engine.go", is: `v.st.since("2025.10") && login`, made: `v.st.since("2026.8") && login`},
	{name: "denied_action looks at the next of the executor's URL", file: "engine.go", is: `next := v.get("next")`, made: `next := v.session.query.Get("next")`},
	{name: "only superusers see what failed", file: "engine.go", is: "v.user != nil && v.user.superuser", made: "v.user != nil"},
	{name: "a login gives the session a new identifier", file: "engine.go", is: `v.session.id = v.st.hex("session")`, made: `_ = v.st.hex("session")`},
	{name: "a token does not log in", file: "engine.go", is: "v.browser = v.session.user", made: "v.browser = v.caller"},
	{name: "policies of a binding skip its stage", file: "plan.go", is: "!b.ReEvaluatePolicies || v.passes(", made: "true || v.passes("},
	{name: "the session of another password has ended", file: "session.go", is: "s.user.passwords != s.passwords", made: "false"},
	{name: "the CSRF header must be the cookie", file: "session.go", is: "case sent != cookie.Value:", made: "case sent != cookie.Value && false:"},
	{name: "over https it wants a Referer", file: "session.go", is: "} else if q.secure() {", made: "} else if false {"},
	{name: "an executor without its CSRF header is an error of the flow", file: "request.go", is: "q.user, q.denied = nil, \"CSRF Failed: \"+reason", made: "q.denied = \"\""},
	{name: "a challenge has a type up to 2024.4", file: "challenge.go", is: `!v.st.since("2024.6")`, made: `!v.st.since("2024.10")`},
	{name: "cancel_url has the next since 2026.8", file: "challenge.go", is: `next != "" && v.st.since("2026.8")`, made: `next != ""`},
	{name: "the fifth wrong password ends the flow", file: "stages_login.go", is: "attempts = 5", made: "attempts = 6"},
	{name: "an unknown user gets as far as the password", file: "stages_login.go", is: "s.RevealUnknown || s.WithPassword", made: "true"},
	{name: "the recovery link is the first recovery flow up to 2025.8", file: "stages_login.go", is: "f.Designation == authentik.FlowDesignationRecovery", made: "false"},
	{name: "a code is accepted once", file: "otp.go", is: "step > d.step && ", made: ""},
	{name: "a wrong code slows the device down", file: "otp.go", is: "d.failures++", made: "_ = d.failures"},
	{name: "a device that was never used has no last_used", file: "stages_mfa.go", is: "if !d.lastUsed.IsZero() {", made: "if true {"},
	{name: "choices have labels since 2025.10", file: "stages_prompt.go", is: `case !v.st.since("2025.10"):`, made: `case !v.st.since("2025.12"):`},
	{name: "two passwords must match", file: "stages_prompt.go", is: "len(passwords) == 2 &&", made: "false &&"},
	{name: "a wrong consent has an error since 2025.10", file: "stages_other.go", is: `token != v.plan.consent && v.st.since("2025.10")`, made: "token != v.plan.consent"},
	{name: "the inspector leaves out other flows since 2025.10", file: "inspector.go", is: `p.flow == flow.PK || !st.since("2025.10")`, made: "true"},
	{name: "the inspector hides from others since 2025.10", file: "inspector.go", is: `st.since("2025.10") && !superuser && !inspects`, made: `st.since("2025.10") && !inspects`},
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
