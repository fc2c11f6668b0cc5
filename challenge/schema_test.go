package challenge_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go/challenge"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/schema"
)

// nested are the structs within challenges and responses, by the names that
// schemas give them.
var nested = map[string]reflect.Type{
	"ContextualFlowInfo": reflect.TypeFor[challenge.FlowInfo](),
	"ThemedUrls":         reflect.TypeFor[challenge.ThemedURLs](),
	"ErrorDetail":        reflect.TypeFor[challenge.ErrorDetail](),
	"LoginSource":        reflect.TypeFor[challenge.LoginSource](),
	"DeviceChallenge":    reflect.TypeFor[challenge.DeviceChallenge](),
	"SelectableStage":    reflect.TypeFor[challenge.ConfigurationStage](),
	"StagePrompt":        reflect.TypeFor[challenge.StagePrompt](),
	"PromptChoice":       reflect.TypeFor[challenge.PromptChoice](),
	"ConsentPermission":  reflect.TypeFor[challenge.ConsentPermission](),
	"LogoutURL":          reflect.TypeFor[challenge.LogoutURL](),
}

// renamed are the older names of schemas.
var renamed = map[string]string{"ConsentPermission": "Permission"}

// unions are what a release may show, and what it accepts.
var unions = map[string]map[string]reflect.Type{
	"ChallengeTypes":               challenge.ChallengeTypes,
	"FlowChallengeResponseRequest": challenge.ResponseTypes,
}

func TestComponents_AreThoseOfTheSchemas(t *testing.T) {
	t.Parallel()
	for union, types := range unions {
		seen := map[string]bool{}
		for _, r := range schema.Releases(t) {
			for component, name := range r.Union(union) {
				seen[component] = true
				want := strings.TrimSuffix(strings.TrimSuffix(name, "Challenge"), "ChallengeResponseRequest")
				if name != want+"Challenge" {
					want += "Response"
				}
				if assert.Contains(t, types, component, r.Name) {
					assert.Equal(t, want, types[component].Name(), "%s of %s", component, r.Name)
				}
			}
		}
		assert.ElementsMatch(t, slices.Collect(maps.Keys(seen)), slices.Collect(maps.Keys(types)), union)
	}
}

// The table in the package's documentation is the one in components.go.
func TestDoc_TableIsComplete(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	newest := map[reflect.Type]bool{}
	for line := range strings.Lines(string(doc)) {
		if !strings.HasPrefix(line, "//\t") || !strings.Contains(line, "ak-") {
			continue
		}
		columns := slices.DeleteFunc(strings.Fields(line), func(word string) bool { return len(word) == 1 })
		name := columns[1]
		assert.Equal(t, challenge.ChallengeTypes[name].Name(), columns[2])
		newest[challenge.ChallengeTypes[name]] = true
		if response := challenge.ResponseTypes[name]; response != nil {
			assert.Equal(t, response.Name(), columns[3])
		} else {
			assert.Len(t, columns, 3)
		}
	}
	for component, kind := range challenge.ChallengeTypes {
		assert.True(t, newest[kind], component)
	}
}

// A literal has the component of the newest release.
func TestComponent_OfALiteralIsTheNewest(t *testing.T) {
	t.Parallel()
	releases := schema.Releases(t)
	newest := releases[len(releases)-1]
	for union, types := range unions {
		for component := range newest.Union(union) {
			c := reflect.New(types[component]).Interface().(interface{ Component() string })
			assert.Equal(t, component, c.Component())
		}
	}
}

// Schemas up to 2025 were cut from the main branch: some have what the release
// of that name did not yet have.
var earlyInSchemas = map[string]string{
	"Captcha.interactive": "since 2024.12", // in the schema of 2024.10; 2024.10.0 does not send it (recorded)
}

// Properties that no schema has, and why a model has them.
var undeclared = map[string]string{
	"LogoutURL.relay_state": "servers before 2026.5 declare any object, and send this in it (source)",
}

// Fields without omitzero although not every release has them, and why.
var alwaysSent = map[string]string{
	"DeviceChallenge.last_used": "a selected challenge must have it, null if it was never used",
}

func TestModels_TagsAgreeWithSchemas(t *testing.T) {
	t.Parallel()
	releases := schema.Releases(t)
	early, extra := maps.Clone(earlyInSchemas), maps.Clone(undeclared)
	for name, model := range models(releases) {
		want := presences(releases, name, early, model.Name())
		got := fields(t, model)
		for key, presence := range got {
			place := model.Name() + "." + key
			if extra[place] != "" {
				require.NotContains(t, want, key, "no longer undeclared: %s", place)
				delete(extra, place)
				want[key] = presence
			}
		}
		if strings.HasSuffix(name, "Challenge") && want["type"] == "" {
			delete(got, "type") // in Common; no release of this challenge sent it
		}
		if strings.HasSuffix(name, "Request") {
			delete(want, "component") // not a field of responses
		}
		if model == reflect.TypeFor[challenge.PromptResponse]() {
			got = map[string]string{} // any keys
		}
		if strings.HasPrefix(want["type"], "optional") || strings.HasPrefix(want["type"], "until") {
			want["type"] = "until 2024.4" // optional in FlowError's
		}
		assert.Equal(t, want, got, name)
	}
	assert.Empty(t, early, "no longer early")
	assert.Empty(t, extra, "no longer undeclared")
}

// models returns all structs by the name of their schema.
func models(releases []schema.Release) map[string]reflect.Type {
	all := maps.Clone(nested)
	for _, r := range releases {
		for union, types := range unions {
			for component, name := range r.Union(union) {
				all[name] = types[component]
			}
		}
	}
	return all
}

// presences returns what the tags of a model should say of each property. It
// takes what it uses out of early.
func presences(releases []schema.Release, name string, early map[string]string, model string) map[string]string {
	var schemas []*schema.Schema
	var names []string
	for _, r := range releases {
		s := r.Components.Schemas[name]
		if s == nil {
			s = r.Components.Schemas[renamed[name]]
		}
		if s != nil {
			schemas, names = append(schemas, s), append(names, r.Name)
		}
	}
	all := map[string]string{}
	for _, s := range schemas {
		for property := range s.Properties {
			var has []string
			required := 0
			for i, s := range schemas {
				if s.Properties[property] != nil {
					has = append(has, names[i])
				}
				if slices.Contains(s.Required, property) {
					required++
				}
			}
			last := has[len(has)-1] == releases[len(releases)-1].Name
			switch {
			case required == len(schemas):
				all[property] = "required"
			case len(has) == len(schemas):
				all[property] = "optional"
			case last:
				all[property] = "since " + has[0]
			default:
				all[property] = "until " + has[len(has)-1]
			}
			if is, ok := earlyInSchemas[model+"."+property]; ok && is != all[property] {
				delete(early, model+"."+property)
				all[property] = is
			}
		}
	}
	return all
}

// fields returns what the tags of a model say of each key.
func fields(t *testing.T, model reflect.Type) map[string]string {
	t.Helper()
	all := map[string]string{}
	for field := range model.Fields() {
		if field.Anonymous {
			maps.Copy(all, fields(t, field.Type))
			continue
		}
		key, omitted := schema.Key(field)
		if key == "" { // the values of a prompt
			continue
		}
		all[key] = schema.Presence(field)
		place := model.Name() + "." + key
		switch {
		case all[key] == "required":
			assert.False(t, omitted, place)
		case strings.HasPrefix(all[key], "optional") && field.Type.Kind() == reflect.Bool:
			assert.False(t, omitted, "%s: false is a value", place)
		case !strings.HasPrefix(all[key], "optional"):
			assert.NotEqual(t, alwaysSent[place] != "", omitted, place)
		}
	}
	return all
}

// variants are how instances are made.
func variants() map[string]schema.Generator {
	return map[string]schema.Generator{
		"every property": {}, "required only": {RequiredOnly: true}, "nulls": {Nulls: true}, "newer": {Newer: true},
	}
}

// Whatever a release may send by its schema decodes, and nothing that the
// models have is lost.
func TestDecode_InstancesOfEverySchema(t *testing.T) {
	t.Parallel()
	decoded := map[string]bool{}
	for _, r := range schema.Releases(t) {
		for component, name := range r.Union("ChallengeTypes") {
			for variant, v := range variants() {
				instance := v.Component(r, name, component)
				knownKeys(instance)
				got := requireLossless(t, r.Name+" "+component+" "+variant, instance)
				require.Equal(t, challenge.ChallengeTypes[component], reflect.TypeOf(got).Elem())
				decoded[component] = true
			}
		}
	}
	assert.Len(t, decoded, 33)
}

// knownKeys gives the objects in logout_urls the keys that servers send. The
// schemas before 2026.5 declare any.
func knownKeys(instance map[string]any) {
	urls, _ := instance["logout_urls"].([]any)
	for _, value := range urls {
		object := value.(map[string]any)
		for i, key := range []string{"url", "relay_state"} {
			if value, ok := object["key_"+strconv.Itoa(i)]; ok {
				delete(object, "key_"+strconv.Itoa(i))
				object[key] = fmt.Sprint(value)
			}
		}
	}
}

// requireLossless decodes a challenge and asserts that all of it comes out
// again.
func requireLossless(t *testing.T, what string, instance map[string]any) challenge.Challenge {
	t.Helper()
	data, err := json.Marshal(instance)
	require.NoError(t, err)
	var want map[string]any
	require.NoError(t, json.Unmarshal(data, &want))
	decoded, err := challenge.Decode(data)
	require.NoError(t, err, what)
	encoded, err := json.Marshal(decoded)
	require.NoError(t, err, what)
	var got map[string]any
	require.NoError(t, json.Unmarshal(encoded, &got))
	require.Empty(t, differences("", want, got), what)
	return decoded
}

// differences returns where two values differ. An absent key, null and a zero
// value are equal. Keys of the future may be lost.
func differences(path string, want, got any) (all []string) {
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok && (got != nil || len(want) > 0) {
			return []string{path + ": no object"}
		}
		keys := maps.Clone(want)
		maps.Copy(keys, object)
		for key := range keys {
			if _, ok := object[key]; ok || !strings.HasPrefix(key, "newer_") {
				all = append(all, differences(path+"."+key, want[key], object[key])...)
			}
		}
		return all
	case []any:
		list, ok := got.([]any)
		if !ok && got != nil || len(list) != len(want) {
			return []string{path + ": other length"}
		}
		for i := range want {
			all = append(all, differences(path+"["+strconv.Itoa(i)+"]", want[i], list[i])...)
		}
		return all
	case string:
		// A choice of older releases has no label.
		if choice, ok := got.(map[string]any); ok && choice["value"] == want && choice["label"] == want {
			return nil
		}
	}
	if isZero(want) && isZero(got) || reflect.DeepEqual(want, got) {
		return nil
	}
	return []string{path}
}

func isZero(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case map[string]any:
		for _, member := range v {
			if !isZero(member) {
				return false
			}
		}
		return true
	case []any:
		return len(v) == 0
	default:
		return reflect.ValueOf(v).IsZero()
	}
}

// A response with every field set, and one with the required ones, is what each
// release accepts.
func TestResponses_AreWhatEverySchemaAccepts(t *testing.T) {
	t.Parallel()
	accepted := map[string]bool{}
	for _, r := range schema.Releases(t) {
		for component, name := range r.Union("FlowChallengeResponseRequest") {
			for _, requiredOnly := range []bool{false, true} {
				response := reflect.New(challenge.ResponseTypes[component])
				fill(response.Elem(), requiredOnly, r.Components.Schemas[name].Required)
				data, err := json.Marshal(response.Interface())
				require.NoError(t, err)
				var value map[string]any
				require.NoError(t, json.Unmarshal(data, &value))
				assert.Equal(t, response.Interface().(challenge.Response).Component(), value["component"])
				s := r.Components.Schemas[name]
				assert.Empty(t, r.Validate(s, value), "%s of %s: %s", component, r.Name, data)
				for property := range s.Properties {
					if !requiredOnly {
						assert.Contains(t, value, property, "%s of %s", component, r.Name)
					}
				}
				accepted[component] = true
			}
		}
	}
	assert.Len(t, accepted, 28)
}

// fill sets the fields of a response.
func fill(v reflect.Value, requiredOnly bool, required []string) {
	for field, value := range v.Fields() {
		key, omitted := schema.Key(field)
		if requiredOnly && omitted && !slices.Contains(required, key) {
			continue
		}
		switch target := value.Addr().Interface().(type) {
		case *string:
			*target = "123456"
		case *bool:
			*target = true
		case *int:
			*target = 7
		case *int64:
			*target = 7
		case *json.RawMessage:
			*target = json.RawMessage(`{"id":"x"}`)
		case **challenge.DeviceChallenge:
			*target = &challenge.DeviceChallenge{DeviceClass: challenge.DeviceClassSMS, DeviceUID: "1"}
		case *map[string]any:
			*target = map[string]any{"username": "alice", "agree": true, "age": 42}
		default: // an array of bytes
			value.Index(0).SetUint(1)
		}
	}
}
