package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/examples/internal/cli"
	"github.com/seed-299d42e7/authentik-go/examples/internal/clitest"
)

var program clitest.Program = run

func TestTheDemoPrintsWhatLiesBesideIt(t *testing.T) {
	t.Parallel()
	program.Golden(t)
}

func TestASpanForEachPageAndOneForTheWalk(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	got := program.Server(t, srv, "-page-size", "5")
	require.Equal(t, cli.OK, got.Code, got.Stderr)
	pages := strings.Repeat("  HTTP GET 200\n", len(srv.Requests()))
	assert.Equal(t, pages+fmt.Sprintf("list flows %d flows\n", len(srv.Flows())), got.Stdout)
	assert.Greater(t, len(srv.Requests()), 1)
}

// traceOf walks a server and returns the spans, the walk's last.
func traceOf(t *testing.T, srv *authentiktest.Server, token string) (spans tracetest.SpanStubs, err error) {
	t.Helper()
	memory := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(memory))
	client := srv.ClientAs(token, traced(provider), authentik.WithRetry(authentik.RetryPolicy{BaseDelay: -1}))
	err = walk(t.Context(), provider.Tracer("test"), client, nil)
	spans = memory.GetSpans()
	require.NotEmpty(t, spans)
	assert.NotContains(t, fmt.Sprintf("%+v", spans), token)
	return spans, err
}

func TestEachAttemptIsASpanThatTheServerHearsOf(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	srv.FailNext(1, http.StatusInternalServerError, "", nil)
	spans, err := traceOf(t, srv, srv.Token)
	require.NoError(t, err)
	requests := srv.Requests()
	require.Len(t, requests, 2)
	require.Len(t, spans, 3)
	parent := spans[2]
	assert.Equal(t, codes.Ok, parent.Status.Code)
	for i, request := range requests {
		span := spans[i]
		assert.Equal(t, parent.SpanContext.SpanID(), span.Parent.SpanID())
		parent := fmt.Sprintf("00-%s-%s-01", span.SpanContext.TraceID(), span.SpanContext.SpanID())
		assert.Equal(t, parent, request.Header.Get("traceparent"))
		assert.Contains(t, span.Attributes, attribute.Int("http.response.status_code", request.Status))
	}
	assert.Equal(t, http.StatusInternalServerError, requests[0].Status)
}

func TestAWalkThatFailsIsAnError(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	spans, err := traceOf(t, srv, srv.AddUser())
	require.ErrorIs(t, err, authentik.ErrForbidden)
	walk := spans[len(spans)-1]
	assert.Equal(t, codes.Error, walk.Status.Code)
	require.Len(t, walk.Events, 1)
	assert.Contains(t, fmt.Sprint(walk.Events[0].Attributes), "403 Forbidden")
}
