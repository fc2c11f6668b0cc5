package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/examples/internal/cli"
	"github.com/seed-299d42e7/authentik-go/examples/internal/clitest"
)

var program clitest.Program = run

func TestASpanForEachPageAndOneForTheWalk(t *testing.T) {
	t.Parallel()
	got := program.Demo(t)
	require.Equal(t, cli.OK, got.Code, got.Stderr)
	lines := strings.Split(strings.TrimSuffix(got.Stdout, "\n"), "\n")
	pages := lines[:len(lines)-1]
	assert.Equal(t, fmt.Sprintf("list flows %d flows", len(clitest.Results(t, "list"))), lines[len(lines)-1])
	assert.Greater(t, len(pages), 1)
	for _, page := range pages {
		assert.Equal(t, "  HTTP GET 200", page)
	}
}

// traceOf walks a server and returns the spans, the walk's last.
func traceOf(t *testing.T, handler http.HandlerFunc) (spans tracetest.SpanStubs, err error) {
	t.Helper()
	memory := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(memory))
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	client, err := authentik.NewClient(srv.URL, clitest.Token, traced(provider),
		authentik.WithRetry(authentik.RetryPolicy{BaseDelay: -1}))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	err = walk(t.Context(), provider.Tracer("test"), client, nil)
	spans = memory.GetSpans()
	require.NotEmpty(t, spans)
	assert.NotContains(t, fmt.Sprintf("%+v", spans), clitest.Token)
	return spans, err
}

func TestEachAttemptIsASpanThatTheServerHearsOf(t *testing.T) {
	t.Parallel()
	list := clitest.Recorded(t, "list")
	var heard []string
	spans, err := traceOf(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "Bearer "+clitest.Token, r.Header.Get("Authorization"))
		heard = append(heard, r.Header.Get("traceparent"))
		if len(heard) == 1 {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		list.ServeHTTP(w, r)
	})
	require.NoError(t, err)
	require.Len(t, spans, 3)
	parent := spans[2]
	assert.Equal(t, codes.Ok, parent.Status.Code)
	for i, status := range []int{http.StatusInternalServerError, http.StatusOK} {
		span := spans[i]
		assert.Equal(t, parent.SpanContext.SpanID(), span.Parent.SpanID())
		assert.Equal(t, fmt.Sprintf("00-%s-%s-01", span.SpanContext.TraceID(), span.SpanContext.SpanID()), heard[i])
		assert.Contains(t, span.Attributes, attribute.Int("http.response.status_code", status))
	}
}

func TestAWalkThatFailsIsAnError(t *testing.T) {
	t.Parallel()
	refused := clitest.Recorded(t, "list_as_bogus")
	spans, err := traceOf(t, refused.ServeHTTP)
	require.ErrorIs(t, err, authentik.ErrForbidden)
	walk := spans[len(spans)-1]
	assert.Equal(t, codes.Error, walk.Status.Code)
	require.Len(t, walk.Events, 1)
	assert.Contains(t, fmt.Sprint(walk.Events[0].Attributes), "403 Forbidden")
}
