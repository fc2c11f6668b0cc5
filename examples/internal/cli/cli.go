// Package cli is what the examples have in common: a server to use, exit
// codes, and what to do about an error.
package cli

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"unicode"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
)

// Exit codes.
const (
	OK          = 0
	Failed      = 1   // a server's error, or none reached
	Refused     = 2   // an argument, or what is in a file
	Interrupted = 130 // as shells have it after Ctrl-C
)

// Env is what a program is run with.
type Env struct {
	Args           []string // without its name
	Getenv         func(string) string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Options are added to those of a program's client. Tests use them.
	Options []authentik.ClientOption
}

// Main runs a program until it ends, or until Ctrl-C ends its context; a
// second Ctrl-C kills it.
func Main(run func(context.Context, Env) int) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, Env{
		Args: os.Args[1:], Getenv: os.Getenv, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	}))
}

// ErrUsage reports invalid arguments.
var ErrUsage = errors.New("wrong arguments")

// ErrInput reports an invalid file.
var ErrInput = errors.New("wrong input")

// ServerVariables is the part of a help text that names the variables of
// Connect.
const ServerVariables = "AUTHENTIK_URL and AUTHENTIK_TOKEN name the server; without them it is a fake one."

// Parse parses the flags of a program, and its other arguments, which may be
// as many as have names. The help text says what the program is about, and
// names its variables. The error of Parse is for Exit.
func (e Env) Parse(flags *flag.FlagSet, about string, names ...string) error {
	flags.SetOutput(io.Discard) // Exit prints the error
	flags.Usage = func() {}
	err := flags.Parse(e.Args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, _ = fmt.Fprintln(e.Stderr, "usage:", strings.Join(append([]string{flags.Name(), "[flags]"}, names...), " "))
		_, _ = fmt.Fprintln(e.Stderr, about)
		flags.SetOutput(e.Stderr)
		flags.PrintDefaults()
		return err
	case err != nil:
		return fmt.Errorf("%w: %w", ErrUsage, err)
	case flags.NArg() > len(names) && strings.HasPrefix(flags.Arg(len(names)), "-"):
		return fmt.Errorf("%w: %s: flags come before other arguments", ErrUsage, flags.Arg(len(names)))
	case flags.NArg() > len(names):
		return fmt.Errorf("%w: %d of them, besides flags at most %d", ErrUsage, flags.NArg(), len(names))
	}
	return nil
}

// HintedError is an error that knows what to do about it.
type HintedError struct {
	Err  error
	Hint string
}

func (e *HintedError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *HintedError) Unwrap() error { return e.Err }

// Server is the server that a program uses.
type Server struct {
	*authentik.Client

	URL, Token string

	Variable string                // the one of the URL
	Demo     *authentiktest.Server // nil for a real one
}

// Connect makes a client of the server that AUTHENTIK_URL and AUTHENTIK_TOKEN
// name, or of a fake one, as it is after its installation, if neither is set.
func (e Env) Connect(opts ...authentik.ClientOption) (*Server, error) {
	if e.Getenv("AUTHENTIK_URL") == "" && e.Getenv("AUTHENTIK_TOKEN") == "" {
		return e.Fake(e.Demo("AUTHENTIK_URL and AUTHENTIK_TOKEN"), opts...)
	}
	return e.Real("AUTHENTIK_URL", "AUTHENTIK_TOKEN", opts...)
}

// Real makes a client of the server that two variables name.
func (e Env) Real(urlVariable, tokenVariable string, opts ...authentik.ClientOption) (*Server, error) {
	s, err := e.server(&Server{URL: e.Getenv(urlVariable), Token: e.Getenv(tokenVariable), Variable: urlVariable}, opts)
	if err != nil {
		hint := fmt.Sprintf("Set %s to your server's root, such as https://sso.example.com, and %s to one of its "+
			"API tokens. Set no variable for the demo.", urlVariable, tokenVariable)
		return nil, &HintedError{Err: err, Hint: hint}
	}
	return s, nil
}

// Fake makes a client of a fake server, which Close closes.
func (e Env) Fake(fake *authentiktest.Server, opts ...authentik.ClientOption) (*Server, error) {
	return e.server(&Server{URL: fake.URL, Token: fake.Token, Demo: fake}, opts)
}

func (e Env) server(s *Server, opts []authentik.ClientOption) (*Server, error) {
	var err error
	if s.Client, err = authentik.NewClient(s.URL, s.Token, slices.Concat(opts, e.Options)...); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Demo starts a fake server, and prints which variables name a real one.
func (e Env) Demo(variables string) *authentiktest.Server {
	versions := authentiktest.Versions()
	_, _ = fmt.Fprintf(e.Stderr, "This is a fake authentik %s. Set %s to use your own.\n",
		versions[len(versions)-1], variables)
	return authentiktest.Start()
}

// Close ends the demo, if there is one, and drops connections.
func (s *Server) Close() {
	s.Client.Close()
	if s.Demo != nil {
		s.Demo.Close()
	}
}

// Exit prints an error and what to do about it, and returns the exit code.
func (e Env) Exit(ctx context.Context, server *Server, err error) int {
	var refused *authentik.ArgumentError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return OK
	case errors.Is(ctx.Err(), context.Canceled):
		_, _ = fmt.Fprintln(e.Stderr, "interrupted")
		return Interrupted
	}
	_, _ = fmt.Fprintln(e.Stderr, err)
	if hint := advice(ctx, server, err); hint != "" {
		_, _ = fmt.Fprintln(e.Stderr, hint)
	}
	if errors.As(err, &refused) || errors.Is(err, ErrUsage) || errors.Is(err, ErrInput) {
		return Refused
	}
	return Failed
}

// Printable keeps what a server's text may hold from moving the columns of a
// table, or the terminal's cursor.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '·'
	}, s)
}

// advice is what to do about an error. It goes by the error's type and by what
// it is, never by the server's words, which are translated.
func advice(ctx context.Context, server *Server, err error) string {
	var (
		invalid    *authentik.ValidationError
		permission *authentik.PermissionError
		api        *authentik.APIError
		request    *authentik.RequestError
		unusable   *authentik.DecodeError
		hinted     *HintedError
	)
	variable := "AUTHENTIK_URL"
	if server != nil {
		variable = cmp.Or(server.Variable, variable)
	}
	switch {
	case errors.As(err, &hinted):
		return hinted.Hint
	case errors.Is(err, authentik.ErrListChanged):
		return "Objects were created or deleted while they were listed, so some may be missing. Run it again."
	case errors.Is(err, authentik.ErrStarting):
		return "The server is still starting. Try again in a minute."
	case errors.Is(err, authentik.ErrRateLimited):
		return "A proxy in front of the server limits requests. Try again later."
	case errors.Is(err, authentik.ErrResponseTooLarge):
		return "Request smaller pages: see the flag -page-size, where there is one."
	case errors.As(err, &permission):
		// authentik sends 403 for an invalid token and for a missing
		// permission. Any valid token may read the version.
		if _, err := server.ServerVersion(ctx); err == nil {
			return fmt.Sprintf("The token is valid, but its user lacks a permission, such as %q.", needed(permission.Op))
		}
		return "The server rejects the token. Create one under Directory → Tokens and App passwords, with intent API Token."
	case errors.As(err, &invalid) && len(invalid.Fields) > 0:
		return "Change the value of " + strings.Join(slices.Sorted(maps.Keys(invalid.Fields)), ", ") + "."
	case errors.Is(err, authentik.ErrNotFound):
		return "There is no such object, or the user of the token may not view it."
	case errors.As(err, &api) && api.RequestID != "":
		return "The server's log says more, under request_id " + api.RequestID + "."
	case errors.As(err, &request):
		return "Is the server up, and is " + variable + " its address?"
	case errors.As(err, &unusable) && unusable.Op != "": // a response, not a file
		return "Is " + variable + " the root of an authentik, and not of a login page in front of it?"
	}
	return authentik.Hint(err)
}

// needed returns the name of the permission that an operation needs first, as
// the admin interface has it.
func needed(op string) string {
	verb, object := "view", "Flow"
	switch {
	case strings.HasPrefix(op, "Bindings"):
		object = "Flow Stage Binding"
	case strings.HasPrefix(op, "Stages"):
		object = "Stage"
	}
	for part, of := range map[string]string{"Create": "add", "Update": "change", "Destroy": "delete", "Export": "export"} {
		if strings.Contains(op, part) {
			verb = of
		}
	}
	return "Can " + verb + " " + object
}
