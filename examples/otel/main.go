// Command otel lists flows with OpenTelemetry: a span for the list, and in it
// one for each request that is sent, retries included.
//
//	cd examples/otel && go run .
//
// With AUTHENTIK_URL and AUTHENTIK_TOKEN set, the command uses that server,
// otherwise a fake one. Spans are printed. For a collector, replace printer by
// an exporter of go.opentelemetry.io/otel/exporters.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/examples/internal/cli"
)

const about = "Lists flows, and prints an OpenTelemetry span for each request. " +
	cli.ServerVariables

func main() { cli.Main(run) }

func run(ctx context.Context, env cli.Env) int {
	var opts authentik.FlowsInstancesListOptions
	flags := flag.NewFlagSet("otel", flag.ContinueOnError)
	flags.IntVar(&opts.PageSize, "page-size", 5, "flows for each request")
	if err := env.Parse(flags, about); err != nil {
		return env.Exit(ctx, nil, err)
	}
	spans := sdktrace.NewTracerProvider(sdktrace.WithSyncer(printer{env.Stdout}))
	server, err := env.Connect(traced(spans))
	if err != nil {
		return env.Exit(ctx, nil, err)
	}
	defer server.Close()
	err = walk(ctx, spans.Tracer("example"), server.Client, &opts)
	// Not ctx: spans are worth having after Ctrl-C, too.
	if stopped := spans.Shutdown(context.WithoutCancel(ctx)); err == nil {
		err = stopped
	}
	return env.Exit(ctx, server, err)
}

// traced makes a span of each request, in the one of the call's context, and
// sends it to the server in the header traceparent. What WithMiddleware wraps
// never sees the token. The query is in the span's url.full: leave it out if
// the words of a search are confidential.
func traced(spans trace.TracerProvider) authentik.ClientOption {
	return authentik.WithMiddleware(func(next http.RoundTripper) http.RoundTripper {
		return otelhttp.NewTransport(next,
			otelhttp.WithTracerProvider(spans),
			otelhttp.WithPropagators(propagation.TraceContext{}),
		)
	})
}

// walk lists flows in a span of its own.
func walk(
	ctx context.Context, tracer trace.Tracer, client *authentik.Client, opts *authentik.FlowsInstancesListOptions,
) error {
	ctx, span := tracer.Start(ctx, "list flows")
	defer span.End()
	flows, err := authentik.Collect(client.FlowsInstancesAll(ctx, opts))
	if err != nil {
		span.RecordError(err)
		span.SetStatus(codes.Error, "") // the text is in the recorded error
		return err
	}
	span.SetStatus(codes.Ok, "")
	span.AddEvent(fmt.Sprintf("%d flows", len(flows)))
	return nil
}

// printer prints spans as they end: children before their parent.
type printer struct{ w io.Writer }

func (p printer) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	for _, span := range spans {
		indent := ""
		if span.Parent().IsValid() {
			indent = "  "
		}
		words := []string{indent + span.Name()}
		for _, attribute := range span.Attributes() {
			switch attribute.Key {
			case "http.response.status_code", "error.type":
				words = append(words, attribute.Value.String())
			}
		}
		for _, event := range span.Events() {
			words = append(words, event.Name)
		}
		if _, err := fmt.Fprintln(p.w, strings.Join(words, " ")); err != nil {
			return err
		}
	}
	return nil
}

func (printer) Shutdown(context.Context) error { return nil }
