// Command list lists the flows of an authentik server as a table, as JSON
// lines or as CSV.
//
//	go run ./examples/list -designation authentication
//
// With AUTHENTIK_URL and AUTHENTIK_TOKEN set, the command lists the flows of that
// server, otherwise those of a fake one.
package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/examples/internal/cli"
)

const about = "Lists the flows of a server as a table, CSV or JSON lines. " +
	cli.ServerVariables

func main() { cli.Main(run) }

func run(ctx context.Context, env cli.Env) int {
	var opts authentik.FlowsInstancesListOptions
	var prefetch int
	var asJSON, asCSV bool
	flags := flag.NewFlagSet("list", flag.ContinueOnError)
	flags.BoolVar(&asJSON, "json", false, "print JSON lines, with authentik's own keys")
	flags.BoolVar(&asCSV, "csv", false, "print CSV")
	flags.StringVar((*string)(&opts.Designation), "designation", "",
		"only flows with this designation, such as authentication")
	flags.StringVar(&opts.Search, "search", "", "only flows with these words in name, slug, designation or title")
	flags.StringVar(&opts.Ordering, "ordering", "", `fields to order by, such as "designation,-slug"`)
	flags.IntVar(&opts.PageSize, "page-size", 0, "flows for each request (0: 100)")
	flags.IntVar(&prefetch, "prefetch", 0, "pages to fetch ahead")
	if err := env.Parse(flags, about); err != nil {
		return env.Exit(ctx, nil, err)
	}
	var out output
	switch {
	case asJSON && asCSV:
		return env.Exit(ctx, nil, fmt.Errorf("%w: -json and -csv exclude each other", cli.ErrUsage))
	case asJSON:
		out = newJSONLines(env.Stdout)
	case asCSV:
		out = csvRows{csv.NewWriter(env.Stdout)}
	default:
		out = table{tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)}
	}

	server, err := env.Connect()
	if err != nil {
		return env.Exit(ctx, nil, err)
	}
	defer server.Close()
	progress := env.Progress(asJSON || asCSV)
	err = list(ctx, server.Client, &opts, prefetch, out, progress)
	progress.Clear()
	if flushed := out.flush(); err == nil {
		err = flushed
	}
	return env.Exit(ctx, server, err)
}

// list prints the flows of all pages.
func list(
	ctx context.Context, client *authentik.Client, opts *authentik.FlowsInstancesListOptions, prefetch int,
	out output, progress *cli.Progress,
) error {
	done := 0
	for page, err := range client.FlowsInstancesPages(ctx, opts, authentik.WithPrefetch(prefetch)) {
		if err != nil {
			return err
		}
		if done == 0 {
			if err := out.heading(); err != nil {
				return err
			}
		}
		for _, flow := range page.Results {
			if err := out.row(flow); err != nil {
				return err
			}
		}
		done += len(page.Results)
		if page.Pagination.Next != 0 {
			progress.Show("%d of %d flows", done, page.Pagination.Count)
		}
	}
	return nil
}

// output is how flows are printed.
type output interface {
	heading() error
	row(flow authentik.Flow) error
	flush() error
}

var columns = []string{"slug", "designation", "authentication", "layout", "stages", "title"}

func cells(f authentik.Flow) []string {
	return []string{
		f.Slug, string(f.Designation), string(f.Authentication), string(f.Layout), strconv.Itoa(len(f.Stages)), f.Title,
	}
}

// table is aligned, and so holds its rows until it is flushed.
type table struct{ *tabwriter.Writer }

func (t table) heading() error { return t.line(strings.ToUpper(strings.Join(columns, "\t"))) }

func (t table) row(f authentik.Flow) error {
	line := cells(f)
	for i := range line {
		line[i] = cli.Printable(line[i])
	}
	return t.line(strings.Join(line, "\t"))
}

func (t table) flush() error { return t.Flush() }

func (t table) line(s string) error {
	_, err := fmt.Fprintln(t, s)
	return err
}

type csvRows struct{ *csv.Writer }

func (c csvRows) heading() error             { return c.write(columns) }
func (c csvRows) row(f authentik.Flow) error { return c.write(cells(f)) }
func (c csvRows) flush() error               { c.Flush(); return c.Error() }

// write flushes, so that a reader at the other end sees a row when it is there.
func (c csvRows) write(row []string) error {
	if err := c.Write(row); err != nil {
		return err
	}
	return c.flush()
}

type jsonLines struct{ *json.Encoder }

func newJSONLines(w io.Writer) jsonLines {
	lines := jsonLines{json.NewEncoder(w)}
	lines.SetEscapeHTML(false)
	return lines
}

func (jsonLines) heading() error               { return nil }
func (l jsonLines) row(f authentik.Flow) error { return l.Encode(f) }
func (jsonLines) flush() error                 { return nil }
