package challenge_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go/challenge"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/schema"
)

// FuzzDecode decodes a challenge. An error leaves nothing behind. A challenge
// does not refer to the input, is printed without an end, and comes back from
// its JSON as it was. Either takes no more memory than some times the input.
func FuzzDecode(f *testing.F) {
	seen := map[string]bool{}
	for _, r := range recordedChallenges(f) {
		c, err := challenge.Decode(r.body)
		require.NoError(f, err)
		if !seen[c.Component()] && len(r.body) < 4000 {
			seen[c.Component()] = true
			f.Add(r.body)
		}
	}
	releases := schema.Releases(f)
	for _, r := range []schema.Release{releases[0], releases[len(releases)-1]} {
		for component, name := range r.Union("ChallengeTypes") {
			for _, v := range variants() {
				data, err := json.Marshal(v.Component(r, name, component))
				require.NoError(f, err)
				f.Add(data)
			}
		}
	}
	f.Add([]byte(`{"component":"newer","flow_info":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		input := bytes.Clone(data)
		var c challenge.Challenge
		var err error
		spent := testkit.Allocated(func() { c, err = challenge.Decode(input) })
		assert.Less(t, spent, int64(400*len(data)+256<<10))
		clear(input)
		if err != nil {
			require.Nil(t, c)
			return
		}
		require.True(t, json.Valid(data))
		require.NotEmpty(t, c.Component())
		assert.Less(t, len(fmt.Sprint(c)), 100*len(data)+1000)
		encoded, err := json.Marshal(c)
		require.NoError(t, err)
		again, err := challenge.Decode(encoded)
		require.NoError(t, err)
		twice, err := json.Marshal(again)
		require.NoError(t, err)
		require.Equal(t, string(encoded), string(twice))
		require.Equal(t, c.Component(), again.Component())
	})
}
