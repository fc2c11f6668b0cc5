package authentiktest_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// unordered sorts what authentik reads with a join and without an order: the
// stages of a flow, the flows of a stage, the uses of an object that are of one
// model, and the entries of an export that are of one model. The order of those
// is that of PostgreSQL's plan, and differs from answer to answer of a server.
// here gives identifiers a form in which two servers can be compared.
func unordered(body string, here func(string) string) string {
	if strings.HasPrefix(body, "context: {}\nentries:\n") {
		return unorderedExport(body, here)
	}
	var value any
	decoder := json.NewDecoder(strings.NewReader(body))
	decoder.UseNumber()
	if decoder.Decode(&value) != nil {
		return body
	}
	var sorted bytes.Buffer
	encoder := json.NewEncoder(&sorted)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(sortJoins("", value, here)) != nil { //nolint:errchkjson // it was JSON
		return body
	}
	return sorted.String()
}

func sortJoins(key string, value any, here func(string) string) any {
	switch value := value.(type) {
	case map[string]any:
		for k, v := range value {
			value[k] = sortJoins(k, v, here)
		}
		if value["model"] != nil && value["identifiers"] != nil {
			return value
		}
	case []any:
		for i := range value {
			value[i] = sortJoins("", value[i], here)
		}
		if key == "stages" || key == "flow_set" || key == "entries" || len(value) > 0 && isUse(value[0]) {
			slices.SortStableFunc(value, func(a, b any) int { return strings.Compare(sortKey(a, here), sortKey(b, here)) })
		}
	}
	return value
}

func isUse(value any) bool {
	use, ok := value.(map[string]any)
	return ok && use["model_name"] != nil && use["action"] != nil
}

// sortKey returns what an element is sorted by: its model, and then the rest.
func sortKey(element any, here func(string) string) string {
	text, _ := json.Marshal(element) //nolint:errchkjson // it was JSON
	if o, ok := element.(map[string]any); ok {
		for _, key := range []string{"model_name", "model", "slug"} {
			if model, ok := o[key].(string); ok {
				return model + " " + here(string(text))
			}
		}
	}
	return here(string(text))
}

var entryModel = regexp.MustCompile(`\n  model: (\S+)\n`)

// unorderedExport sorts the entries of each model.
func unorderedExport(text string, here func(string) string) string {
	head, rest, _ := strings.Cut(text, "entries:\n")
	body, tail, _ := strings.Cut(rest, "\nmetadata:\n")
	entries := strings.Split(body, "\n- ")
	entries[0] = strings.TrimPrefix(entries[0], "- ")
	key := func(entry string) string {
		return entryModel.FindString(entry+"\n") + here(entry)
	}
	slices.SortStableFunc(entries, func(a, b string) int { return strings.Compare(key(a), key(b)) })
	return head + "entries:\n- " + strings.Join(entries, "\n- ") + "\nmetadata:\n" + tail
}
