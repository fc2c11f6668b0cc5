// Command errors provokes each error of the library, catches it, and prints
// what it means.
//
//	go run ./examples/errors
//
// With AUTHENTIK_URL and AUTHENTIK_TOKEN set, the command uses that server, and
// only reads from it. What a healthy server does not do is then left out.
// Otherwise the command uses a fake server.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/challenge"
	"github.com/seed-299d42e7/authentik-go/examples/internal/cli"
)

const about = "Provokes each error of the library, and says what it means. " +
	cli.ServerVariables

func main() { cli.Main(run) }

// measured is a duration that differs from run to run.
var measured = regexp.MustCompile(`after \d+m?s `)

func run(ctx context.Context, env cli.Env) int {
	flags := flag.NewFlagSet("errors", flag.ContinueOnError)
	if err := env.Parse(flags, about); err != nil {
		return env.Exit(ctx, nil, err)
	}
	server, err := env.Connect(once)
	if err != nil {
		return env.Exit(ctx, nil, err)
	}
	defer server.Close()
	for _, s := range scenes {
		if s.fault != nil {
			if server.Demo == nil {
				continue
			}
			s.fault(server.Demo)
		}
		err := s.do(ctx, server)
		if ctx.Err() != nil {
			return env.Exit(ctx, server, ctx.Err())
		}
		text := fmt.Sprint(err)
		if server.Demo != nil { // its port is another one each time
			text = strings.ReplaceAll(text, strings.TrimPrefix(server.URL, "http://"), "127.0.0.1:9000")
			text = measured.ReplaceAllString(text, "after 0s ") // as on a fast machine
		}
		_, failed := fmt.Fprintf(env.Stdout, "%s\n  error:  %s\n  caught: %s\n  so:     %s\n\n",
			s.title, text, caught(err), meaning(err))
		if failed != nil {
			return env.Exit(ctx, server, failed)
		}
	}
	return cli.OK
}

// once lets errors come at once. A program that works would leave the retries
// as they are: they make most of these errors rare.
var once = authentik.WithRetry(authentik.RetryPolicy{MaxAttempts: 1})

// caught returns the types and the sentinels that match an error.
func caught(err error) string {
	var is []string
	var (
		invalid    *authentik.ValidationError
		permission *authentik.PermissionError
		api        *authentik.APIError
		request    *authentik.RequestError
		unusable   *authentik.DecodeError
		refused    *authentik.ArgumentError
		file       *authentik.ImportError
	)
	for _, target := range []any{&invalid, &permission, &api, &request, &unusable, &refused, &file} {
		if errors.As(err, target) {
			is = append(is, strings.TrimPrefix(fmt.Sprintf("%T", target), "*"))
		}
	}
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			is = append(is, s.name)
		}
	}
	return strings.Join(is, ", ")
}

var sentinels = []struct {
	name string
	err  error
}{
	{"ErrBadRequest", authentik.ErrBadRequest},
	{"ErrUnauthorized", authentik.ErrUnauthorized},
	{"ErrForbidden", authentik.ErrForbidden},
	{"ErrNotFound", authentik.ErrNotFound},
	{"ErrRateLimited", authentik.ErrRateLimited},
	{"ErrServer", authentik.ErrServer},
	{"ErrStarting", authentik.ErrStarting},
	{"ErrPaginationStuck", authentik.ErrPaginationStuck},
	{"ErrListChanged", authentik.ErrListChanged},
	{"ErrResponseTooLarge", authentik.ErrResponseTooLarge},
	{"ErrAttemptTimeout", authentik.ErrAttemptTimeout},
	{"ErrPerhapsDone", authentik.ErrPerhapsDone},
	{"ErrNotAuthentik", authentik.ErrNotAuthentik},
	{"ErrUnreachable", authentik.ErrUnreachable},
	{"ErrTLS", authentik.ErrTLS},
	{"ErrNotApplied", authentik.ErrNotApplied},
	{"ErrUnsupported", authentik.ErrUnsupported},
	{"ErrBadCredentials", authentik.ErrBadCredentials},
	{"ErrNotLoggedIn", authentik.ErrNotLoggedIn},
	{"ErrStillLoggedIn", authentik.ErrStillLoggedIn},
	{"ErrFlowRestarted", authentik.ErrFlowRestarted},
	{"ErrFlowStuck", authentik.ErrFlowStuck},
	{"ErrNoResult", authentik.ErrNoResult},
	{"ErrMultipleResults", authentik.ErrMultipleResults},
	{"context.Canceled", context.Canceled},
	{"context.DeadlineExceeded", context.DeadlineExceeded},
}

// meaning is what a program can make of an error. The special comes before the
// general: a ValidationError is an APIError as well.
func meaning(err error) string {
	var (
		invalid    *authentik.ValidationError
		permission *authentik.PermissionError
		api        *authentik.APIError
		request    *authentik.RequestError
		unusable   *authentik.DecodeError
		refused    *authentik.ArgumentError
	)
	switch {
	case err == nil:
		return "this server has no objection"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "the caller canceled the call, or its deadline has passed"
	case errors.Is(err, authentik.ErrPerhapsDone):
		return "read the object before sending the write again, or let AdoptExisting do so"
	case errors.Is(err, authentik.ErrUnsupported):
		return "do what the error says instead"
	case errors.Is(err, authentik.ErrNotApplied):
		return "the server has not done all of what was requested"
	case errors.Is(err, authentik.ErrBadCredentials):
		return "the password is wrong, or there is no such user"
	case errors.Is(err, authentik.ErrNotLoggedIn):
		return "log in again"
	case errors.Is(err, authentik.ErrStillLoggedIn):
		return "run a flow that has a user logout stage"
	case errors.Is(err, authentik.ErrFlowRestarted), errors.Is(err, authentik.ErrFlowStuck):
		return "look at the stages of the flow and their policies"
	case errors.As(err, &refused):
		return "a mistake in the program: nothing was sent; see " + refused.Field
	case errors.As(err, &invalid):
		return "the server does not accept " + strings.Join(slices.Sorted(maps.Keys(invalid.Fields)), ", ")
	case errors.Is(err, authentik.ErrRateLimited):
		errors.As(err, &api)
		return fmt.Sprintf("come back in %v", api.RetryAfter)
	case errors.Is(err, authentik.ErrNotAuthentik), errors.Is(err, authentik.ErrUnreachable),
		errors.Is(err, authentik.ErrTLS):
		return cmp.Or(authentik.Hint(err), "look at what is in front of the server")
	case errors.As(err, &permission):
		return "the token is invalid or lacks a permission; ServerVersion, which needs none, succeeds in the second case"
	case errors.Is(err, authentik.ErrListChanged):
		return "some flows may be missing: list them again, or let Snapshot do so"
	case errors.Is(err, authentik.ErrNotFound):
		return "there is none, or the user of the token may not view it"
	case errors.Is(err, authentik.ErrStarting):
		return "the server is back in a moment; without MaxAttempts: 1 the client would have waited for it"
	case errors.As(err, &api):
		return "search the server's log for request " + api.RequestID
	case errors.Is(err, authentik.ErrAttemptTimeout):
		return "the server is slow, and WithTimeout short"
	case errors.As(err, &request):
		return "no response: " + request.Err.Error()
	case errors.Is(err, authentik.ErrResponseTooLarge):
		return "request smaller pages, or allow more with WithMaxResponseSize"
	case errors.Is(err, authentik.ErrPaginationStuck):
		return "the server, or a cache in front of it, sends wrong pages"
	case errors.As(err, &unusable):
		return "the response is not what was requested, at " + cmp.Or(unusable.JSONPath, "its root")
	case errors.Is(err, authentik.ErrNoResult), errors.Is(err, authentik.ErrMultipleResults):
		return "the filter does not match exactly one"
	}
	return "an error of another package"
}

// scene is something that goes wrong.
type scene struct {
	title string
	fault func(*authentiktest.Server) // what a healthy server does not do
	do    func(context.Context, *cli.Server) error
}

// list is one page of flows.
func list(ctx context.Context, server *cli.Server) error {
	_, err := server.FlowsInstancesList(ctx, nil)
	return err
}

// listWith is list with a client of its own.
func listWith(ctx context.Context, server *cli.Server, token string, opts ...authentik.ClientOption) error {
	client, err := authentik.NewClient(server.URL, token, append(opts, once)...)
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = client.FlowsInstancesList(ctx, nil)
	return err
}

// listAt is list at another URL.
func listAt(ctx context.Context, url string, transport http.RoundTripper) error {
	client, err := authentik.NewClient(url, "nobodys", once, authentik.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		return err
	}
	_, err = client.FlowsInstancesList(ctx, nil)
	return err
}

// withSession calls do with a session that has not logged in.
func withSession(server *cli.Server, do func(*authentik.Session) error) error {
	session, err := authentik.NewSession(server.URL)
	if err != nil {
		return err
	}
	defer session.Close()
	return do(session)
}

// runFlow runs a flow with all that a login may need.
func runFlow(slug string) func(context.Context, *cli.Server) error {
	return func(ctx context.Context, server *cli.Server) error {
		return withSession(server, func(s *authentik.Session) error {
			_, err := s.Run(ctx, slug, nil, authentik.Credentials{Username: "alice", Password: "secret", Consent: true})
			return err
		})
	}
}

var scenes = []scene{
	{
		title: "a page size below zero",
		do: func(ctx context.Context, server *cli.Server) error {
			_, err := server.FlowsInstancesList(ctx, &authentik.FlowsInstancesListOptions{PageSize: -1})
			return err
		},
	},
	{
		title: "a designation that does not exist",
		do: func(ctx context.Context, server *cli.Server) error {
			_, err := server.FlowsInstancesList(ctx, &authentik.FlowsInstancesListOptions{Designation: "foo"})
			return err
		},
	},
	{
		title: "an invalid token",
		do: func(ctx context.Context, server *cli.Server) error {
			return listWith(ctx, server, "nobodys")
		},
	},
	{
		title: "a binding that does not exist",
		do: func(ctx context.Context, server *cli.Server) error {
			_, err := server.BindingsRetrieve(ctx, uuid.Max)
			return err
		},
	},
	{
		title: "one flow where there is none",
		do: func(ctx context.Context, server *cli.Server) error {
			_, err := authentik.One(server.FlowsInstancesAll(ctx, &authentik.FlowsInstancesListOptions{FlowUUID: uuid.Max}))
			return err
		},
	},
	{
		title: "one flow where there are many",
		do: func(ctx context.Context, server *cli.Server) error {
			_, err := authentik.One(server.FlowsInstancesAll(ctx, nil))
			return err
		},
	},
	{
		title: "a list where a number is expected",
		do: func(ctx context.Context, server *cli.Server) error {
			var count int
			return server.Get(ctx, "flows/instances/", nil, &count)
		},
	},
	{
		title: "more than may be read",
		do: func(ctx context.Context, server *cli.Server) error {
			return listWith(ctx, server, server.Token, authentik.WithMaxResponseSize(64))
		},
	},
	{
		title: "a caller that gives up",
		do: func(ctx context.Context, server *cli.Server) error {
			ctx, cancel := context.WithCancelCause(ctx)
			cancel(errors.New("closing time"))
			return list(ctx, server)
		},
	},
	{
		title: "a deadline that is over",
		do: func(ctx context.Context, server *cli.Server) error {
			ctx, cancel := context.WithTimeout(ctx, 0)
			defer cancel()
			return list(ctx, server)
		},
	},
	{
		title: "a token that cannot be obtained",
		do: func(ctx context.Context, server *cli.Server) error {
			locked := func(context.Context) (string, error) { return "", errors.New("the vault is locked") }
			return listWith(ctx, server, "", authentik.WithTokenFunc(locked))
		},
	},
	{
		title: "a server that starts",
		fault: func(srv *authentiktest.Server) { srv.Starting(1) },
		do:    list,
	},
	{
		title: "a server that fails",
		fault: func(srv *authentiktest.Server) {
			srv.FailNext(1, http.StatusInternalServerError, `{"detail":"out of memory"}`,
				http.Header{"X-Authentik-Id": {"4adc6e5054364fab9dcfafc65bccfbc0"}})
		},
		do: list,
	},
	{
		title: "a proxy that limits requests",
		fault: func(srv *authentiktest.Server) {
			srv.FailNext(1, http.StatusTooManyRequests, "", http.Header{"Retry-After": {"120"}})
		},
		do: list,
	},
	{
		title: "a proxy that requires a login",
		fault: func(srv *authentiktest.Server) { srv.FailNext(1, http.StatusUnauthorized, "<html>", nil) },
		do:    list,
	},
	{
		title: "a server that is not running",
		fault: func(*authentiktest.Server) {}, // a real one is there
		do: func(ctx context.Context, _ *cli.Server) error {
			return listAt(ctx, "http://127.0.0.1:1", nil)
		},
	},
	{
		title: "a server without TLS",
		fault: func(*authentiktest.Server) {}, // a real one has it
		do: func(ctx context.Context, server *cli.Server) error {
			dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, strings.TrimPrefix(server.URL, "http://"))
			}
			return listAt(ctx, "https://sso.example.com", &http.Transport{DialContext: dial})
		},
	},
	{
		title: "a page of another list, out of a cache",
		fault: func(srv *authentiktest.Server) {
			srv.FailNext(1, http.StatusOK, `{"pagination":{"next":0,"previous":6,"count":600,"current":7,`+
				`"total_pages":7,"start_index":0,"end_index":0},"results":[]}`, nil)
		},
		do: func(ctx context.Context, server *cli.Server) error {
			_, err := authentik.Collect(server.FlowsInstancesAll(ctx, nil))
			return err
		},
	},
	{
		title: "a flow that comes while the list is read",
		fault: func(srv *authentiktest.Server) {
			srv.ChangeListAfterPage(1, func() { srv.AddFlow(authentik.Flow{}) })
		},
		do: func(ctx context.Context, server *cli.Server) error {
			_, err := authentik.Collect(server.FlowsInstancesAll(ctx, &authentik.FlowsInstancesListOptions{PageSize: 10}))
			return err
		},
	},
	{
		title: "a new flow whose response is lost",
		fault: func(srv *authentiktest.Server) { srv.CutBody(0) },
		do: func(ctx context.Context, server *cli.Server) error {
			_, err := server.FlowsInstancesCreate(ctx, authentik.FlowRequest{
				Name: "New", Slug: "new", Title: "New", Designation: authentik.FlowDesignationRecovery,
			})
			return err
		},
	},
	{
		title: "an operation that newer servers lack",
		fault: func(*authentiktest.Server) {}, // it would write
		do: func(ctx context.Context, server *cli.Server) error {
			return server.FlowsInstancesSetBackgroundURLCreate(ctx, "new", "/static/background.png")
		},
	},
	{
		title: "a file without anything to import",
		fault: func(*authentiktest.Server) {}, // it would write
		do: func(ctx context.Context, server *cli.Server) error {
			_, err := server.FlowsInstancesImportCreate(ctx, []byte("version: 1\nentries: []\n"))
			return err
		},
	},
	{
		title: "a wrong password",
		fault: func(*authentiktest.Server) {}, // a real one counts them
		do: func(ctx context.Context, server *cli.Server) error {
			return withSession(server, func(s *authentik.Session) error {
				_, err := s.Login(ctx, "default-authentication-flow",
					authentik.Credentials{Username: authentiktest.AdminUsername, Password: "wrong"})
				return err
			})
		},
	},
	{
		title: "a client of a session that has not logged in",
		do: func(_ context.Context, server *cli.Server) error {
			return withSession(server, func(s *authentik.Session) error {
				_, err := s.Client()
				return err
			})
		},
	},
	{
		title: "a logout by a flow that does not log out",
		fault: func(srv *authentiktest.Server) { srv.Script("stay", &challenge.Redirect{To: "/"}) },
		do: func(ctx context.Context, server *cli.Server) error {
			return withSession(server, func(s *authentik.Session) error {
				_, err := s.Login(ctx, "default-authentication-flow",
					authentik.Credentials{Username: authentiktest.AdminUsername, Password: authentiktest.AdminPassword})
				if err != nil {
					return err
				}
				return s.Logout(ctx, "stay")
			})
		},
	},
	{
		title: "a flow that begins anew",
		fault: func(srv *authentiktest.Server) {
			user := &challenge.Identification{UserFields: []string{"username"}}
			srv.Script("circle", user, &challenge.Password{}, user)
		},
		do: runFlow("circle"),
	},
	{
		title: "a flow that does not go on",
		fault: func(srv *authentiktest.Server) {
			srv.Script("consent", &challenge.Consent{}, &challenge.Consent{}, &challenge.Consent{})
		},
		do: runFlow("consent"),
	},
	// The last one: were the fake still to hear of it, no other would notice.
	{
		title: "less time than a response takes",
		do: func(ctx context.Context, server *cli.Server) error {
			return listWith(ctx, server, server.Token, authentik.WithTimeout(time.Nanosecond))
		},
	},
}
