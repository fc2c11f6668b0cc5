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
	{name: "the value that is not a choice is quoted", file: "filter.go", is: `%s is not one of the available choices.", text)`, made: `%.0s is not one of the available choices.", text)`},
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
	{name: "the CSRF header must be the cookie", file: "session.go", is: "sent[0] != cookie.Value", made: "false"},
	{name: "over https it wants a Referer", file: "session.go", is: "} else if q.secure() {", made: "} else if false {"},
	{name: "an executor without its CSRF header is an error of the flow", file: "request.go", is: "q.user, q.denied = nil, \"CSRF Failed: \"+reason", made: "q.denied = \"\""},
	{name: "a challenge has a type up to 2024.4", file: "challenge.go", is: `!v.st.since("2024.6")`, made: `!v.st.since("2024.10")`},
	{name: "cancel_url has the next since 2026.8", file: "challenge.go", is: `next != "" && v.st.since("2026.8")`, made: `next != ""`},
	{name: "up to 2023.8 one wrong password more is allowed", file: "stages_login.go", is: "if !v.st.since(\"2023.10\") {\n\t\tattempts++", made: "if false {\n\t\tattempts++"},
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
	{name: "PATCH needs no required field", file: "write.go", is: `q.Method == patch}`, made: `false}`},
	{name: "a write of an object is forbidden after the object is found", file: "write.go", is: `verb == "" || q.single && q.rules.anonymousDetail ||`, made: `verb == "" ||`},
	{name: "an error in a write is a 405 of HTML", file: "write.go", is: `status: http.StatusMethodNotAllowed, contentType: notJSON`, made: `status: http.StatusInternalServerError, contentType: notJSON`},
	{name: "texts are trimmed", file: "validate.go", is: "text = pyTrim(text)\n\tif text", made: "if text"},
	{name: "a length counts characters", file: "validate.go", is: `utf8.RuneCountInString(text) > f.maxLength`, made: `len(text) > f.maxLength`},
	{name: "an empty reference is null", file: "validate.go", is: `value == nil || f.kind == reference && value == "":`, made: `value == nil:`},
	{name: "1.0 is a whole number", file: "validate.go", is: `pyTrim(zeroFraction.ReplaceAllString(text, ""))`, made: `pyTrim(text)`},
	{name: "invalid UTF-8 is a crash up to 2026.5", file: "validate.go", is: `!q.rules.since("2026.8")`, made: `false`},
	{name: "a slug has curly quotes since 2025.12", file: "validate.go", is: `return "“slug”"`, made: "return `\"slug\"`"},
	{name: "a slug has at most 50 characters up to 2025.10", file: "facts.go", is: `maxLength: 50, until`, made: `maxLength: 51, until`},
	{name: "the request alone decides when policies run", file: "facts.go", is: `onRun = onRun || !ok; st.evaluatesOnRun`, made: `onRun = onRun || !ok && b.ReEvaluatePolicies; st.evaluatesOnRun`},
	{name: "bindings are deleted with their flow", file: "relations.go", is: "for _, b := range st.bindingsOf(f) {\n\t\tst.removeBinding(b)\n\t}", made: `_ = 0`},
	{name: "an updated object is stored last", file: "relations.go", is: `return append(without(all, of), of)`, made: `return all`},
	{name: "actions are upper case up to 2023.10", file: "usedby.go", is: `u.action = strings.ToUpper(u.action)`, made: `_ = 0`},
	{name: "who may not view an object does not see the use", file: "usedby.go", is: `!q.may(u.app+".view_"+u.model, uuid.Nil)`, made: `false`},
	{name: "policy bindings are shown since 2025.10", file: "usedby.go", is: `!st.since("2025.10")`, made: `false`},
	{name: "uses are in the order of their attributes", file: "usedby.go", is: `strings.Compare(a.attribute(), b.attribute())`, made: `strings.Compare("", "")`},
	{name: "a use that cascades ends all uses of the object", file: "usedby.go", is: `u.of == of && u.action == cascade`, made: `false`},
	{name: "an import that fails changes nothing", file: "import.go", is: `st.clone().importer(q)`, made: `st.importer(q)`},
	{name: "an import finds a flow by its slug", file: "import.go", is: `own = im.flow(pyString(slug))`, made: `_ = slug`},
	{name: "a blueprint of another version is refused", file: "import.go", is: `ok && pyString(version) != "1"`, made: `ok && pyString(version) == ""`},
	{name: "an import of a list succeeds", file: "import.go", is: `case isList: // nobody looks into it`, made: `case isList && false:`},
	{name: "an import follows identifiers that it has changed", file: "import.go", is: `im.moved[sent] = of.pk`, made: `_ = of.pk`},
	{name: "an export has a background of its own only, up to 2025.10", file: "export.go", is: `f.Background != "" || st.since("2025.12")`, made: `true`},
	{name: "a diagram is Mermaid since 2022.9", file: "diagram.go", is: `st.since("2022.9")`, made: `st.since("2023.10")`},
	{name: "a diagram hides bindings", file: "diagram.go", is: `q.may(permission("view", "flowstagebinding"), uuid.Nil)`, made: `true`},
	{name: "an upload gets a name of its own", file: "background.go", is: `st.ids["file "+name] > 1`, made: `false`},
	{name: "a session expires", file: "session.go", is: `case !s.expires.IsZero() && !time.Now().Before(s.expires),`, made: `case`},
	{name: "a cookie must be signed", file: "session.go", is: `dot < 0 || !hmac.Equal([]byte(signature(token[:dot])), []byte(token[dot+1:]))`, made: `dot < 0 || hmac.Equal(nil, []byte("x"))`},
	{name: "over https the cookie is for other sites, too", file: "session.go", is: `site = "SameSite=None; Secure"`, made: `_ = site`},
	{name: "a rate limit has periods", file: "limit.go", is: `!now.Before(l.end)`, made: `l.end.IsZero()`},
	{name: "a fault for a time ends", file: "proxy.go", is: `return !time.Now().Before(f.until)`, made: `return false`},
	{name: "a dead connection sends nothing", file: "gate.go", is: `f := c.dead.Load(); f != nil`, made: `f := c.dead.Load(); f != nil && false`},
	{name: "a dead connection loses what it gets", file: "gate.go", is: `f == nil || err != nil`, made: `true || f == nil || err != nil`},
	{name: "a server that is down closes its connections", file: "gate.go", is: `_ = conn.Conn.Close()`, made: `_ = conn`},
	{name: "a write whose response is lost has happened", file: "scope.go", is: "spoil: func(o *outcome) {\n\t\t*o = outcome{broken", made: "instead: func(request) (o outcome) {\n\t\treturn outcome{broken"},
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
		if r.killer, err = try(root, dir, fakePackage, none, nil); err != nil {
			return nil, err
		}
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
