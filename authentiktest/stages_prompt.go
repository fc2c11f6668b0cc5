package authentiktest

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// PromptStage shows a form.
type PromptStage struct {
	Name   string
	Fields []PromptField
	// Validate is called with the values of a response that is valid otherwise,
	// and with who is logged in. The text of its error is shown. It must not
	// use the server.
	Validate func(values map[string]any, request PolicyRequest) error
}

// PromptField is an input of a [PromptStage].
type PromptField struct {
	Key string
	// Label is the Key if it is empty.
	Label string
	// Type is text, text_area, text_read_only, text_area_read_only, username,
	// email, password, number, checkbox, radio-button-group, dropdown, date,
	// date-time, file, separator, hidden, static or ak-locale. The default is
	// text.
	Type     string
	Required bool
	// Placeholder, InitialValue and SubText are texts beside the input. A value
	// is not required where there is an InitialValue.
	Placeholder, InitialValue, SubText string
	// Order is the place of the field in the form. If no field has an Order,
	// their places are those in Fields. Errors are in the order of Fields.
	Order int
	// Choices are the values of a radio-button-group or a dropdown.
	Choices []string

	initial func(*user) string // of a fresh install: the InitialValue for a user
}

func (s PromptStage) stage() (string, stageKind) {
	return s.Name, stageKind{
		model: "prompt", component: "ak-stage-prompt",
		members: s.members, inputs: s.inputs, check: s.check,
		accept: func(v *visit, in answers) reply {
			v.plan.setPrompt(in)
			return v.ok()
		},
	}
}

// ordered returns the fields in the order of the form.
func (s PromptStage) ordered() []PromptField {
	fields := slices.Clone(s.Fields)
	if slices.ContainsFunc(fields, func(f PromptField) bool { return f.Order != 0 }) {
		slices.SortStableFunc(fields, func(a, b PromptField) int { return cmp.Compare(a.Order, b.Order) })
		return fields
	}
	for i := range fields {
		fields[i].Order = i
	}
	return fields
}

func (s PromptStage) members(v *visit) (object, error) {
	fields := []object{}
	for _, f := range s.ordered() {
		placeholder, initial := f.Placeholder, v.initialValue(f)
		if f.chooses() {
			placeholder = ""
		}
		if !v.st.since("2023.4") && initial != "" {
			placeholder = initial // there is no initial_value yet
		}
		o := object{
			{"field_key", f.Key},
			{"label", cmp.Or(f.Label, f.Key)},
			{"type", f.kind()},
			{"required", f.Required},
			{"placeholder", placeholder},
		}
		if v.st.since("2023.4") {
			o = append(o, member{"initial_value", initial})
		}
		o = append(o, member{"order", f.Order}, member{"sub_text", f.SubText})
		if v.st.since("2023.4") {
			o = append(o, member{"choices", v.choices(f)})
		}
		fields = append(fields, o)
	}
	return object{{"fields", fields}}, nil
}

func (f PromptField) kind() string { return cmp.Or(f.Type, "text") }

func (f PromptField) chooses() bool { return f.Type == "radio-button-group" || f.Type == "dropdown" }

// initialValue returns what an input holds at first: what the user has entered
// before, or else the value of the field.
func (v *visit) initialValue(f PromptField) string {
	if entered, ok := v.plan.prompt[f.Key].(string); ok {
		return entered
	}
	initial := f.InitialValue
	if u := v.pending(); f.initial != nil && u != nil {
		initial = f.initial(u)
	}
	if f.chooses() && len(f.Choices) > 0 && !slices.Contains(f.Choices, initial) {
		initial = f.Choices[0]
	}
	return initial
}

// choices returns the choices of a field, which have labels since 2025.10.
func (v *visit) choices(f PromptField) any {
	switch {
	case !f.chooses():
		return nil
	case !v.st.since("2025.10"):
		return f.Choices
	}
	all := []object{}
	for _, choice := range f.Choices {
		all = append(all, object{{"value", choice}, {"label", choice}})
	}
	return all
}

// promptTypes are the types of fields that are no plain text.
var promptTypes = map[string]input{
	"text":                {kind: textInput, untrimmed: true},
	"text_area":           {kind: textInput, untrimmed: true},
	"text_read_only":      {kind: textInput},
	"text_area_read_only": {kind: textInput},
	"email":               {kind: emailInput},
	"number":              {kind: wholeInput},
	"checkbox":            {kind: booleanInput, optional: true},
	"date":                {kind: dateInput},
	"date-time":           {kind: dateTimeInput},
	"file":                {kind: fileInput},
	"separator":           {kind: textInput, optional: true},
	"hidden":              {kind: textInput, ignored: true},
	"static":              {kind: textInput, optional: true},
	"ak-locale":           {kind: textInput, blank: true},
	"radio-button-group":  {kind: choiceInput},
	"dropdown":            {kind: choiceInput},
}

func (s PromptStage) inputs(v *visit) (all []input) {
	for _, f := range s.Fields {
		i, ok := promptTypes[f.kind()]
		if !ok {
			i.kind = textInput
		}
		i.key, i.choices = f.Key, f.Choices
		i.optional = i.optional || !f.Required
		switch f.kind() {
		case "text", "text_area", "email":
			i.blank = !f.Required
		case "username":
			i.check = v.usernameTaken
		case "hidden", "static":
			i.value = f.Placeholder
		}
		if initial := v.initialValue(f); initial != "" {
			i.value = initial
		}
		all = append(all, i)
	}
	return all
}

// usernameTaken returns a problem if another user has that name.
func (v *visit) usernameTaken(name string) string {
	if other := v.st.person(name); other != nil && other != v.pending() {
		return "Username is already taken."
	}
	return ""
}

func (s PromptStage) check(v *visit, in answers, p *problems) {
	var passwords []string
	for _, f := range s.Fields {
		switch f.kind() {
		case "hidden", "static", "text_read_only", "text_area_read_only":
			in[f.Key] = cmp.Or(v.initialValue(f), f.Placeholder)
		case "password":
			passwords = append(passwords, f.Key)
		}
	}
	if len(passwords) == 2 && in[passwords[0]] != in[passwords[1]] {
		p.add(noField, "Passwords don't match.", "invalid")
		return
	}
	if s.Validate == nil {
		return
	}
	if err := s.Validate(maps.Clone(in), v.policyRequest(v.plan)); err != nil {
		p.add(noField, err.Error(), "invalid")
	}
}

// UserWriteStage stores what the prompts of the flow have collected: in the
// user of the flow or session, or else in a new user.
type UserWriteStage struct {
	Name string
	// NeverCreate denies access instead of creating a user.
	NeverCreate bool
	// AlwaysCreate creates a user also where there is one.
	AlwaysCreate bool
	// CreateInactive creates users who cannot log in yet.
	CreateInactive bool
}

func (s UserWriteStage) stage() (string, stageKind) {
	return s.Name, stageKind{model: "user_write", enter: func(v *visit) *reply { return new(s.write(v)) }}
}

func (s UserWriteStage) write(v *visit) reply {
	if v.plan.prompt == nil {
		return v.deny("No Pending data.")
	}
	if v.plan.user == nil && v.user != nil {
		v.plan.setUser(v.user)
	}
	u := v.plan.user
	created := u == nil || u.pk == 0 || s.AlwaysCreate
	switch {
	case created && s.NeverCreate:
		return v.deny("No user found and can't create new user.")
	case created:
		u = &user{active: !s.CreateInactive}
	}
	username, _ := v.plan.prompt["username"].(string)
	if other := v.st.person(username); other != nil && other != u {
		return v.deny("Failed to update user. Please try again later.")
	}
	_, secret := v.plan.prompt["password"]
	for key, value := range v.plan.prompt {
		u.write(key, value)
	}
	if u.username == "" {
		return v.deny("")
	}
	if created {
		fresh := v.st.newUser()
		u.pk, u.uid = fresh.pk, fresh.uid
		v.st.addUser(u)
		v.plan.setUser(u)
	}
	if own := u == v.session.user; secret && (own || created && v.session.user == nil) {
		v.renewSession() // so do logins
		v.session.passwords = u.passwords
	}
	return v.ok()
}

// write sets an attribute of a user. One that users do not have is stored
// among the others, and dots in its name lead into objects.
func (u *user) write(key string, value any) {
	text, _ := value.(string)
	switch key {
	case "username":
		u.username = text
	case "name":
		u.name = text
	case "email":
		u.email = text
	case "password":
		u.password = text
		u.passwords++
	case "is_active":
		u.active = value == true
	case "component", "password_repeat", "pk", "is_superuser", "groups":
		// neither an attribute nor for users to write
	default:
		if u.attributes == nil {
			u.attributes = map[string]any{}
		}
		into, path := u.attributes, strings.Split(strings.TrimPrefix(key, "attributes."), ".")
		for _, name := range path[:len(path)-1] {
			next, ok := into[name].(map[string]any)
			if !ok {
				next = map[string]any{}
				into[name] = next
			}
			into = next
		}
		into[path[len(path)-1]] = value
	}
}
