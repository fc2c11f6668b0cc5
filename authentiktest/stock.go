package authentiktest

import "github.com/seed-299d42e7/authentik-go"

// defaultSettings returns the settings of a stage that no test has configured:
// those of a fresh install by the stage's name, or else the defaults of its
// kind. It returns nil for a kind that the fake does not have.
func defaultSettings(stage *authentik.Stage) StageSettings {
	for _, stock := range stockSettings() {
		name, behavior := stock.stage()
		if name == stage.Name && behavior.metaModel() == stage.MetaModelName {
			return stock
		}
	}
	for _, bare := range []StageSettings{
		AuthenticatorStaticStage{},
		AuthenticatorTOTPStage{},
		AuthenticatorValidateStage{},
		CaptchaStage{},
		ConsentStage{},
		DenyStage{},
		DummyStage{},
		EmailStage{},
		IdentificationStage{},
		InvitationStage{},
		PasswordStage{},
		PromptStage{},
		RedirectStage{},
		UserLoginStage{},
		UserLogoutStage{},
		UserWriteStage{},
	} {
		if _, behavior := bare.stage(); behavior.metaModel() == stage.MetaModelName {
			return bare
		}
	}
	return nil
}

// stockSettings are the settings of the stages of a fresh install, where they
// are not the defaults.
func stockSettings() []StageSettings {
	field := func(key, label, kind string, order int, initial func(*user) string) PromptField {
		return PromptField{
			Key: key, Label: label, Type: kind, Required: true, Placeholder: label, Order: order, initial: initial,
		}
	}
	passwords := []PromptField{
		field("password", "Password", "password", 300, nil),
		field("password_repeat", "Password (repeat)", "password", 301, nil),
	}
	return []StageSettings{
		IdentificationStage{Name: "default-authentication-identification", UserFields: []string{"email", "username"}},
		PromptStage{Name: "default-password-change-prompt", Fields: passwords},
		PromptStage{Name: "default-user-settings", Validate: mayChange, Fields: []PromptField{
			field("username", "Username", "username", 200, func(u *user) string { return u.username }),
			field("name", "Name", "text", 201, func(u *user) string { return u.name }),
			field("email", "Email", "email", 202, func(u *user) string { return u.email }),
			field("attributes.settings.locale", "Locale", "ak-locale", 203, locale),
		}},
		PromptStage{Name: "default-source-enrollment-prompt", Fields: []PromptField{
			field("username", "Username", "text", 100, nil),
		}},
		PromptStage{Name: "stage-default-oobe-password", Fields: append(
			[]PromptField{field("email", "Email", "email", 101, nil)}, passwords...,
		)},
	}
}

// locale returns the language that a user has chosen, or "".
func locale(u *user) string {
	settings, _ := u.attributes["settings"].(map[string]any)
	chosen, _ := settings["locale"].(string)
	return chosen
}

// mayChange refuses to change what users may not change by default: their
// username and e-mail address.
func mayChange(values map[string]any, request PolicyRequest) error {
	switch {
	case values["email"] != request.email:
		return shown("Not allowed to change email address.")
	case values["username"] != request.Username:
		return shown("Not allowed to change username.")
	}
	return nil
}

// configure adds what no recorded object shows: the policy that depends on what
// the flow has found out, and the brand that uses flows.
func (st *store) configure() {
	for _, slug := range []string{
		"default-authentication-flow", "default-invalidation-flow", "default-user-settings-flow",
	} {
		if flow := st.flow(slug); flow != nil {
			st.uses = append(st.uses, &otherUse{flow.PK, st.defaultBrand()})
		}
	}
	for _, b := range st.bindings {
		if st.stage(b.Stage).Name != "default-authentication-password" {
			continue
		}
		for _, link := range st.policyBindingsOf(b.PK) { // since 2023.10
			st.thing(link.policy).run = func(r PolicyRequest) error {
				if r.authenticated {
					return shown("") // by the identification stage
				}
				return nil
			}
		}
	}
}
