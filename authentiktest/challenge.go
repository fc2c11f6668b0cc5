package authentiktest

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"unicode/utf16"
	"unicode/utf8"
)

// challenge shows the challenge of the current stage, with what is wrong with
// the response before.
func (v *visit) challenge(p *problems) reply {
	o := object{{"flow_info", v.flowInfo()}, {"component", v.kind.component}}
	if p != nil {
		o = append(o, member{"response_errors", p.object()})
	}
	if v.kind.user {
		o = append(o, v.pendingUser()...)
	}
	if v.kind.members != nil {
		members, err := v.kind.members(v)
		if err != nil {
			return v.fail(err.Error())
		}
		o = append(o, members...)
	}
	return v.write(o, v.kind.shown)
}

// write returns a challenge. Up to 2024.4 it has a type; "" is native.
func (v *visit) write(o object, shown string) reply {
	if shown == "" {
		shown = "native"
	}
	if !v.st.since("2024.6") {
		o = append(object{{"type", shown}}, o...)
	}
	return reply{
		status: http.StatusOK, contentType: "application/json", german: v.german,
		body: pythonJSON(appendJSON(nil, o)),
	}
}

// flowInfo is what a challenge says about its flow.
func (v *visit) flowInfo() object {
	cancel := "/flows/-/cancel/"
	if next := v.session.query.Get("next"); next != "" && v.st.since("2026.8") {
		cancel += "?next=" + url.QueryEscape(next)
	}
	info := object{{"title", v.title()}, {"background", backgroundURL(v.flow)}}
	if v.st.since("2025.12.2") {
		info = append(info, member{"background_themed_urls", themedURLs(v.flow)})
	}
	info = append(info, member{"cancel_url", cancel})
	if v.st.since("2022.5") {
		info = append(info, member{"layout", string(v.flow.Layout)})
	}
	return info
}

// placeholder matches what Python replaces in a title, and a lone %.
var placeholder = regexp.MustCompile(`%(?:\((app|user)\)s|%)?`)

// title returns the title of the flow for the user and without an application.
// A title that Python cannot format stays as it is, and so does one without a
// plan.
func (v *visit) title() string {
	if v.plan == nil {
		return v.flow.Title
	}
	name := "AnonymousUser"
	if u := v.shownUser(); u != nil {
		name = u.username
	}
	formatted := true
	text := placeholder.ReplaceAllStringFunc(v.flow.Title, func(found string) string {
		formatted = formatted && found != "%"
		return map[string]string{"%%": "%", "%(user)s": name}[found]
	})
	if !formatted {
		return v.flow.Title
	}
	return text
}

// shownUser returns the user of the flow as a challenge shows the user, or nil.
func (v *visit) shownUser() *user {
	if v.plan != nil && v.plan.identifier != "" {
		return &user{username: v.plan.identifier}
	}
	return v.pending()
}

// pendingUser is what a challenge says about its user.
func (v *visit) pendingUser() object {
	u := v.shownUser()
	if u == nil {
		return object{{"pending_user", ""}, {"pending_user_avatar", nobodysAvatar}}
	}
	return object{{"pending_user", u.username}, {"pending_user_avatar", v.st.avatar(u)}}
}

// problems are the errors of a response: the fields in the order in which
// they were found.
type problems struct {
	all []problemOf
}

type problemOf struct {
	field      string
	text, code string
}

// add adds a problem. Without a code the problem is one of a nested object.
func (p *problems) add(field, text, code string) {
	p.all = append(p.all, problemOf{field, text, code})
}

func (p *problems) object() object {
	var fields []string
	details := map[string][]object{}
	for _, one := range p.all {
		detail := object{{"string", one.text}}
		if one.code != "" {
			detail = append(detail, member{"code", one.code})
		}
		if details[one.field] == nil {
			fields = append(fields, one.field)
		}
		details[one.field] = append(details[one.field], detail)
	}
	var o object
	for _, field := range fields {
		o = append(o, member{field, details[field]})
	}
	return o
}

// noField is the field of problems that are of no field.
const noField = "non_field_errors"

// pythonJSON returns compact JSON as Python writes it: with a space after each
// comma and colon, and in ASCII.
func pythonJSON(compact []byte) []byte {
	out := make([]byte, 0, len(compact)+len(compact)/8)
	quoted := false
	for i := 0; i < len(compact); {
		c := compact[i]
		switch {
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRune(compact[i:])
			out = appendEscaped(out, r)
			i += n
			continue
		case c == '\\':
			out = append(out, c, compact[i+1])
			i += 2
			continue
		case c == '"':
			quoted = !quoted
		}
		out = append(out, c)
		if !quoted && (c == ',' || c == ':') {
			out = append(out, ' ')
		}
		i++
	}
	return out
}

func appendEscaped(out []byte, r rune) []byte {
	if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
		return fmt.Appendf(out, `\u%04x\u%04x`, high, low)
	}
	return fmt.Appendf(out, `\u%04x`, r)
}
