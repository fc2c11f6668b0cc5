package conformance

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// ParseJSON returns a JSON value as encoding/json decodes it into an any.
func ParseJSON(t *testing.T, body []byte) any {
	t.Helper()
	var value any
	require.NoError(t, json.Unmarshal(body, &value), "%.200s", body)
	return value
}

// omissions lists the keys of a server's JSON that the models leave out on
// purpose. A path does not contain the indexes of arrays.
var omissions = []struct {
	// path is a regular expression.
	path string
	// only is the value with which the key is left out, or anything.
	only any
	why  string
}{
	{`autocomplete`, anything, "serves the admin interface's search box: {} for flows"},
	{`results\.background_themed_urls`, nil, "is left out where it is nil, as by servers that do not have it"},
	{
		`(results|stage_obj\.flow_set)\.background_url`,
		"",
		"is left out where it is empty, as by servers that do not have it",
	},
	{
		`stage_obj\.flow_set\.(stages|policies|cache_count|authentication)`,
		anything,
		"comes up to 2022.9 only, where a flow set holds whole flows",
	},
	{`(build_hash|outdated|outpost_outdated|version_.*)`, anything, "is not what ServerVersion is for"},
}

// anything stands for every value.
var anything = new(any)

// Differences marshals the value that the library decoded from body, and
// returns the differences between the two.
func Differences(t *testing.T, body []byte, value any) []string {
	t.Helper()
	ours, err := json.Marshal(value)
	require.NoError(t, err)
	return Compare("", ParseJSON(t, body), ParseJSON(t, ours))
}

// index matches the index of an array in a path.
var index = regexp.MustCompile(`\[\d+\]`)

// Compare returns the differences between two JSON values below a path: keys
// that are missing, keys that were added, and values that differ. A key that the
// models leave out on purpose is no difference.
func Compare(path string, want, got any) (all []string) {
	switch want := want.(type) {
	case map[string]any:
		got, ok := got.(map[string]any)
		if !ok {
			break
		}
		for _, key := range slices.Sorted(maps.Keys(want)) {
			below := strings.TrimPrefix(path+"."+key, ".")
			if ours, ok := got[key]; ok {
				all = append(all, Compare(below, want[key], ours)...)
			} else if !isOmission(index.ReplaceAllString(below, ""), want[key]) {
				all = append(all, fmt.Sprintf("%s is missing, want %v", below, want[key]))
			}
		}
		for key := range got {
			if _, ok := want[key]; !ok {
				all = append(all, fmt.Sprintf("%s.%s was added: %v", path, key, got[key]))
			}
		}
		return all
	case []any:
		got, ok := got.([]any)
		if !ok || len(got) != len(want) {
			break
		}
		for i := range want {
			all = append(all, Compare(fmt.Sprintf("%s[%d]", path, i), want[i], got[i])...)
		}
		return all
	}
	if !reflect.DeepEqual(want, got) {
		all = append(all, fmt.Sprintf("%s is %v, want %v", path, got, want))
	}
	return all
}

func isOmission(path string, value any) bool {
	for _, o := range omissions {
		if (o.only == anything || o.only == value) && regexp.MustCompile("^"+o.path+"$").MatchString(path) {
			return true
		}
	}
	return false
}
