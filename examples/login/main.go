// Command login logs in as a user does, and prints who that is and the steps
// that the server wanted.
//
//	cd examples/login && go run . [-flow default-authentication-flow]
//
// With AUTHENTIK_URL and AUTHENTIK_USERNAME set, the command logs in to that
// server, otherwise to a fake one. The password is AUTHENTIK_PASSWORD, or is
// read from the terminal. AUTHENTIK_TOTP_SECRET is the key of an authenticator
// app in base 32. Without it, codes are read from the terminal, too.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/challenge"
	"github.com/seed-299d42e7/authentik-go/examples/internal/cli"
)

const about = "Logs in as a user does, and prints who that is. " +
	"AUTHENTIK_URL and AUTHENTIK_USERNAME name the server and the user; without them the server is a fake one. " +
	"AUTHENTIK_PASSWORD is the password, and AUTHENTIK_TOTP_SECRET the key of an authenticator app; " +
	"without them the terminal is read."

func main() { cli.Main(run) }

func run(ctx context.Context, env cli.Env) int {
	flags := flag.NewFlagSet("login", flag.ContinueOnError)
	slug := flags.String("flow", "default-authentication-flow", "slug of the flow that logs in")
	if err := env.Parse(flags, about); err != nil {
		return env.Exit(ctx, nil, err)
	}
	who, done, err := identify(ctx, env)
	if err != nil {
		return env.Exit(ctx, nil, err)
	}
	defer done()
	session, err := authentik.NewSession(who.url, env.Options...)
	if err != nil {
		return env.Exit(ctx, nil, hinted(err))
	}
	defer session.Close()

	user, err := session.Login(ctx, *slug, steps(env, who.credentials))
	if err != nil {
		return env.Exit(ctx, nil, hinted(err))
	}
	return env.Exit(ctx, nil, report(ctx, env, session, user))
}

// account is who logs in, and where.
type account struct {
	url         string
	credentials authentik.Credentials
}

// identify returns the account that the variables name, or one of a fake
// server if none of them is set. done ends the fake server.
func identify(ctx context.Context, env cli.Env) (who account, done func(), err error) {
	done = func() {}
	who.url = env.Getenv("AUTHENTIK_URL")
	username, password := env.Getenv("AUTHENTIK_USERNAME"), env.Getenv("AUTHENTIK_PASSWORD")
	secret := env.Getenv("AUTHENTIK_TOTP_SECRET")
	switch {
	case who.url == "" && username == "" && password == "" && secret == "":
		server := env.Demo("AUTHENTIK_URL and AUTHENTIK_USERNAME")
		server.AddAccount(authentiktest.Account{
			Username: "alice", Name: "Alice", Password: "demo", Groups: []string{"Staff"},
		})
		who.url, done, username, password = server.URL, server.Close, "alice", "demo"
		secret = server.AddDevice(username, authentiktest.Device{}).Secret
	case username == "":
		return who, done, fmt.Errorf("%w: AUTHENTIK_USERNAME must be set", cli.ErrInput)
	}
	ask := asker(env)
	if password == "" {
		password, err = ask("Password")(ctx)
		if err == nil && password == "" {
			err = fmt.Errorf("%w: the password must not be empty", cli.ErrInput)
		}
		if err != nil {
			return who, done, &cli.HintedError{Err: err, Hint: "Or set AUTHENTIK_PASSWORD."}
		}
	}
	who.credentials = authentik.Credentials{
		Username: username, Password: password, RememberMe: true,
		TOTP: ask("Code of the authenticator app"), Static: ask("Recovery code"),
		Email: ask("Code or link of the email"), SMS: ask("Code of the text message"),
	}
	if secret != "" {
		key, err := decodeKey(secret)
		if err != nil {
			return who, done, err
		}
		who.credentials.TOTP = func(context.Context) (string, error) { return totp(key, time.Now()), nil }
	}
	return who, done, nil
}

// steps prints the challenges of the server on their way to a solver, and
// whether the solver had a response. It prints no response.
func steps(env cli.Env, solver authentik.Solver) authentik.Solver {
	return authentik.SolverFunc(func(ctx context.Context, c challenge.Challenge) (challenge.Response, error) {
		response, err := solver.Solve(ctx, c)
		verb := "responded to"
		if err != nil || response == nil {
			verb = "has no response to"
		}
		_, printed := fmt.Fprintf(env.Stdout, "%s %s\n", verb, cli.Printable(c.Component()))
		return response, errors.Join(err, printed)
	})
}

// report prints the user, and what the session is good for.
func report(ctx context.Context, env cli.Env, session *authentik.Session, user *authentik.User) error {
	var groups []string
	for _, group := range user.Groups {
		groups = append(groups, group.Name)
	}
	_, err := fmt.Fprintf(env.Stdout, "logged in as %s (%s, %s), groups: %s\n", cli.Printable(user.Username),
		cli.Printable(user.Name), cli.Printable(user.Email), cli.Printable(strings.Join(groups, ", ")))
	if err != nil {
		return err
	}
	client, err := session.Client()
	if err != nil {
		return err
	}
	flows, err := authentik.Collect(client.FlowsInstancesAll(ctx, nil))
	switch {
	case errors.Is(err, authentik.ErrForbidden) && !errors.Is(err, authentik.ErrNotLoggedIn):
		_, err = fmt.Fprintln(env.Stdout, "may not list flows")
	case err == nil:
		_, err = fmt.Fprintf(env.Stdout, "may view %d flows\n", len(flows))
	}
	return hinted(err)
}

// hinted adds what to do about an error. It goes by what the error is, never by
// the server's words, which are translated.
func hinted(err error) error {
	var (
		refused  *authentik.ArgumentError
		rejected *authentik.ChallengeError
		denied   *authentik.FlowDeniedError
		unsolved *authentik.UnsolvedError
	)
	hint := ""
	switch {
	case errors.As(err, &refused) && refused.Op == "NewSession":
		hint = "Set AUTHENTIK_URL to your server's root, such as https://sso.example.com; " +
			"or no variable at all, for the demo."
	case errors.Is(err, authentik.ErrBadCredentials):
		hint = "The username or the password is wrong. After a few wrong passwords the server denies access for a while."
	case errors.As(err, &rejected):
		hint = "After a wrong code the server rejects the right one, too, for a second or more. " +
			"Is the clock of this machine right?"
	case errors.As(err, &denied):
		hint = "The flow does not let this user in. Its policies and its deny stages decide."
	case errors.As(err, &unsolved):
		hint = "This step needs a browser, or a Solver of your own."
	case errors.Is(err, authentik.ErrNotLoggedIn):
		hint = "The flow has ended without a login. Is it one that logs in?"
	case errors.Is(err, authentik.ErrNotAuthentik):
		hint = "Something in front of authentik responded. Is AUTHENTIK_URL the root of an authentik?"
	case errors.Is(err, authentik.ErrNotFound):
		hint = "There is no flow with that slug: see -flow."
	}
	if hint == "" {
		return err
	}
	return &cli.HintedError{Err: err, Hint: hint}
}
