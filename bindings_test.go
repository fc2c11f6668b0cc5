package authentik_test

import (
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

func TestBindingsRetrieve_RequestsByUUID(t *testing.T) {
	t.Parallel()
	id := uuid.MustParse("A58A38A0-14B6-4A2A-A4FC-7C6B1E3C9C5D")
	var asked []string
	ak := testkit.NewClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.RequestURI)
		testkit.StaticHandler(http.StatusNotFound, "application/json", `{"detail":"Not found."}`)(w, r)
	}))
	_, err := ak.BindingsRetrieve(t.Context(), id)
	require.ErrorIs(t, err, authentik.ErrNotFound)
	_, err = ak.BindingsRetrieve(t.Context(), uuid.Nil)
	var argument *authentik.ArgumentError
	require.ErrorAs(t, err, &argument)
	assert.Equal(t, authentik.ArgumentError{Op: "BindingsRetrieve", Field: "id", Reason: "must not be empty"}, *argument)
	assert.Equal(t, []string{"GET /sub/path/api/v3/flows/bindings/a58a38a0-14b6-4a2a-a4fc-7c6b1e3c9c5d/"}, asked)
}
