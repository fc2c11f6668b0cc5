package challenge_test

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go/challenge"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/recording"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/schema"
)

// recorded is a challenge that a real server sent.
type recorded struct {
	version, id string
	body        []byte
}

// recordedChallenges returns all challenges of all servers.
func recordedChallenges(t testing.TB) []recorded {
	t.Helper()
	all, err := loadRecorded()
	require.NoError(t, err)
	return all
}

var loadRecorded = sync.OnceValues(func() (all []recorded, err error) {
	add := func(exchanges []recording.Exchange) {
		for _, e := range exchanges {
			var head struct{ Component string }
			body := e.Response.Body()
			if strings.Contains(e.Request.Target, "/flows/executor/") && json.Unmarshal(body, &head) == nil &&
				head.Component != "" {
				all = append(all, recorded{e.Version, e.ID, body})
			}
		}
	}
	testdata := os.DirFS("../testdata")
	single, err := recording.Versions(testdata, "recordings")
	if err != nil {
		return nil, err
	}
	for _, exchanges := range single {
		add(exchanges)
	}
	sequences, err := recording.Sequences(testdata, "sequences")
	if err != nil {
		return nil, err
	}
	for _, version := range sequences {
		for _, sequence := range version {
			add(sequence.Exchanges)
		}
	}
	return all, nil
})

// Whatever real servers sent decodes, and nothing of it is lost.
func TestDecode_Recordings(t *testing.T) {
	t.Parallel()
	count := map[string]int{}
	for _, r := range recordedChallenges(t) {
		var want map[string]any
		require.NoError(t, json.Unmarshal(r.body, &want))
		decoded := requireLossless(t, r.version+" "+r.id, want)
		require.NotContains(t, reflect.TypeOf(decoded).String(), "Unknown", r.id)
		require.Equal(t, want["component"], decoded.Component())
		count[decoded.Component()]++
	}
	t.Log(count)
	assert.Len(t, count, 15)
}

// Deviations of real servers from the schema of their release.
func TestDecode_DeviationsFromTheSchema(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, r := range recordedChallenges(t) {
		decoded, err := challenge.Decode(r.body)
		require.NoError(t, err, r.id)
		has := func(text string) bool { return strings.Contains(string(r.body), text) }
		switch c := decoded.(type) {
		case *challenge.Identification:
			if has(`"captcha_stage": null`) {
				assert.Nil(t, c.CaptchaStage)
				seen["a captcha that is null in "+r.version] = true
			}
		case *challenge.AuthenticatorValidation:
			if has(`"name": null`) {
				assert.Empty(t, c.ConfigurationStages[0].Name)
				seen["a stage without a name in "+r.version] = true
			}
		}
		for _, details := range decoded.Errors() {
			for _, detail := range details {
				assert.NotEmpty(t, detail.String)
				if detail.Code == "" {
					seen["an error without a code in "+r.version] = true
				}
			}
		}
	}
	for _, deviation := range []string{
		"a captcha that is null in 2024.10.0",
		"a stage without a name in 2024.10.0",
		"an error without a code in 2025.10.0-rc1",
		"an error without a code in 2026.8.0-rc1",
	} {
		assert.True(t, seen[deviation], deviation)
	}
}

// Real servers send a key since the release that its tag names, until that
// release, or in all releases.
func TestModels_TagsAgreeWithRecordings(t *testing.T) {
	t.Parallel()
	for _, r := range recordedChallenges(t) {
		var got map[string]any
		require.NoError(t, json.Unmarshal(r.body, &got))
		component := got["component"].(string)
		for key, presence := range fields(t, challenge.ChallengeTypes[component]) {
			place := r.version + " " + r.id + ": " + key
			kind, release, _ := strings.Cut(presence, " ")
			_, ok := got[key]
			switch {
			case kind == "required":
				assert.True(t, ok, place)
			case kind == "since" && schema.Compare(r.version, release) < 0,
				kind == "until" && schema.Compare(r.version, release) > 0:
				assert.False(t, ok, place)
			case kind == "since" && !mayBeAbsent[component+"."+key]:
				assert.True(t, ok, place)
			}
		}
	}
}

// mayBeAbsent are keys that a release has, but that depend on how the stage is
// configured and on where the user comes from.
var mayBeAbsent = map[string]bool{
	"ak-stage-identification.passwordless_url":       true,
	"ak-stage-identification.application_pre_launch": true,
}
