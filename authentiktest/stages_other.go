package authentiktest

import (
	"net/url"
	"slices"
)

// ConsentStage requests the user's consent.
type ConsentStage struct{ Name string }

func (s ConsentStage) stage() (string, stageKind) {
	return s.Name, stageKind{
		model: "consent", component: "ak-stage-consent", user: true,
		members: func(v *visit) (object, error) {
			v.plan.consent = v.st.id("consent").String()
			o := object{}
			if !v.st.since("2022.7") {
				o = append(o, member{"header_text", ""})
			}
			o = append(o, member{"permissions", []object{}})
			if v.st.since("2022.7") {
				o = append(o, member{"additional_permissions", []object{}})
			}
			if v.st.since("2022.8") {
				o = append(o, member{"token", v.plan.consent})
			}
			return o, nil
		},
		inputs: func(v *visit) []input {
			if !v.st.since("2022.8") {
				return nil
			}
			return []input{{key: "token", kind: textInput, check: func(token string) string {
				if token != v.plan.consent && v.st.since("2025.10") {
					return "Invalid consent token, re-showing prompt"
				}
				return ""
			}}}
		},
		accept: func(v *visit, in answers) reply {
			if v.st.since("2022.8") && in.text("token") != v.plan.consent {
				return v.challenge(nil) // without a word about it, up to 2025.8
			}
			return v.ok()
		},
	}
}

// DenyStage denies access.
type DenyStage struct {
	Name string
	// Message is the text of the denial.
	Message string
}

func (s DenyStage) stage() (string, stageKind) {
	return s.Name, stageKind{model: "deny", enter: func(v *visit) *reply { return new(v.deny(s.Message)) }}
}

// RedirectStage sends the user elsewhere. Authentik has it since 2024.12.
type RedirectStage struct {
	Name string
	// To is a URL, or else Flow the slug of a flow.
	To   string
	Flow string
}

func (s RedirectStage) stage() (string, stageKind) {
	return s.Name, stageKind{
		model: "redirect", since: "2024.12", component: "xak-flow-redirect", shown: "redirect",
		members: func(v *visit) (object, error) {
			to := s.To
			if s.Flow != "" {
				to = (&url.URL{Path: "/if/flow/" + s.Flow + "/", RawQuery: v.session.query.Encode()}).String()
			}
			return object{{"to", to}}, nil
		},
		inputs: func(*visit) []input { return []input{{key: "to", kind: textInput}} },
		accept: accepted,
	}
}

// DummyStage waits for any response.
type DummyStage struct {
	Name string
	// ThrowError makes the stage fail with an error of the server.
	ThrowError bool
}

func (s DummyStage) stage() (string, stageKind) {
	return s.Name, stageKind{
		model: "dummy", component: "ak-stage-dummy",
		members: func(v *visit) (object, error) {
			switch {
			case s.ThrowError:
				return nil, shown("Test error")
			case v.st.since("2024.2"):
				return object{{"name", v.stage.Name}}, nil
			}
			return nil, nil
		},
		accept: accepted,
	}
}

// EmailStage sends the user of the flow an e-mail with a link. The fake sends
// none: the flow stays at this stage.
type EmailStage struct{ Name string }

func (s EmailStage) stage() (string, stageKind) {
	return s.Name, stageKind{
		model: "email", component: "ak-stage-email",
		enter: func(v *visit) *reply {
			if v.pending() == nil {
				return new(v.deny(""))
			}
			return nil
		},
		check:  func(_ *visit, _ answers, p *problems) { p.add(noField, "email-sent", "email-sent") },
		accept: accepted,
	}
}

// CaptchaStage requests the token of a captcha.
type CaptchaStage struct {
	Name           string
	SiteKey, JSURL string
	Interactive    bool
	// Token is the valid response. Without a Token, no response is valid.
	Token string
}

func (s CaptchaStage) stage() (string, stageKind) {
	return s.Name, stageKind{
		model: "captcha", component: "ak-stage-captcha", user: true,
		members: func(v *visit) (object, error) {
			o := object{{"site_key", s.SiteKey}}
			if v.st.since("2022.11") {
				o = append(o, member{"js_url", s.JSURL})
			}
			if v.st.since("2024.12") {
				o = append(o, member{"interactive", s.Interactive})
			}
			return o, nil
		},
		inputs: func(*visit) []input {
			return []input{{key: "token", kind: textInput, check: func(token string) string {
				if token != s.Token {
					return "Failed to validate token"
				}
				return ""
			}}}
		},
		accept: accepted,
	}
}

// InvitationStage admits users with an invitation: the itoken of the query.
type InvitationStage struct {
	Name string
	// Invitations are the identifiers of the invitations. Each admits one user.
	Invitations []string
	// ContinueWithout admits users without an invitation, too.
	ContinueWithout bool
}

func (s InvitationStage) stage() (string, stageKind) {
	return s.Name, stageKind{model: "invitation", enter: func(v *visit) *reply {
		token := v.session.query.Get("itoken")
		used := v.st.running.invitations
		if slices.Contains(s.Invitations, token) && !used[token] {
			used[token] = true
			return new(v.ok())
		}
		if s.ContinueWithout {
			return new(v.ok())
		}
		return new(v.deny("Invalid invite/invite not found"))
	}}
}
