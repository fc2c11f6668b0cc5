package main

import (
	"encoding/base32"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/challenge"
	"github.com/seed-299d42e7/authentik-go/examples/internal/cli"
	"github.com/seed-299d42e7/authentik-go/examples/internal/clitest"
)

var program clitest.Program = run

// They must not be printed.
const (
	password = "CANARY-password-c2VjcmV0"
	wrong    = "CANARY-wrong-d3Jvbmc"
)

// login runs the program as a user with these variables, and then checks that
// it has printed no secret.
func login(t *testing.T, url string, vars map[string]string, args ...string) clitest.Result {
	t.Helper()
	all := map[string]string{"AUTHENTIK_URL": url, "AUTHENTIK_USERNAME": "alice", "AUTHENTIK_PASSWORD": password}
	maps.Copy(all, vars)
	got := program.Env(t.Context(), t, all, args...)
	for _, name := range []string{"AUTHENTIK_PASSWORD", "AUTHENTIK_TOTP_SECRET"} {
		if all[name] != "" {
			assert.NotContains(t, got.Stdout+got.Stderr, all[name])
		}
	}
	return got
}

// newServer returns a server that alice can log in to.
func newServer(t *testing.T, opts ...authentiktest.Option) *authentiktest.Server {
	t.Helper()
	srv := authentiktest.NewServer(t, opts...)
	srv.AddAccount(authentiktest.Account{Username: "alice", Password: password})
	return srv
}

// posts counts the responses that a server got.
func posts(srv *authentiktest.Server) (n int) {
	for _, r := range srv.Requests() {
		if r.Method == http.MethodPost {
			n++
		}
	}
	return n
}

func TestTheDemoPrintsWhatLiesBesideIt(t *testing.T) {
	t.Parallel()
	program.Golden(t)
}

func TestEveryReleaseIsLoggedInTo(t *testing.T) {
	t.Parallel()
	for _, version := range authentiktest.Versions() {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t, authentiktest.Version(version))
			device := srv.AddDevice("alice", authentiktest.Device{})
			// As people copy it.
			secret := strings.ToLower(device.Secret[:4] + " " + strings.TrimRight(device.Secret[4:], "="))
			got := login(t, srv.URL, map[string]string{"AUTHENTIK_TOTP_SECRET": secret})
			require.Equal(t, cli.OK, got.Code, got.Stderr)
			printed, _, _ := strings.Cut(got.Stdout, "may ")
			assert.Equal(t, `responded to ak-stage-identification
responded to ak-stage-password
responded to ak-stage-authenticator-validate
logged in as alice (alice, alice@example.com), groups: 
`, printed)
			assert.Empty(t, got.Stderr)
			assert.Equal(t, 3, posts(srv))
		})
	}
}

func TestASuperuserMayViewFlows(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	got := login(t, srv.URL, map[string]string{
		"AUTHENTIK_USERNAME": authentiktest.AdminUsername, "AUTHENTIK_PASSWORD": authentiktest.AdminPassword,
	})
	require.Equal(t, cli.OK, got.Code, got.Stderr)
	assert.Contains(t, got.Stdout, fmt.Sprintf("may view %d flows\n", len(srv.Flows())))
}

func TestAWrongPasswordIsSentOnce(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	got := login(t, srv.URL, map[string]string{"AUTHENTIK_PASSWORD": wrong})
	assert.Equal(t, cli.Failed, got.Code)
	assert.Contains(t, got.Stderr, "the server rejected the response to ak-stage-password: password: Invalid password\n"+
		"The username or the password is wrong.")
	assert.Equal(t, 2, posts(srv), "the name, and the password")
}

func TestWhatCannotBeSolvedIsExplained(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		shown        challenge.Challenge
		stdout, hint string
	}{
		"denied": {
			&challenge.AccessDenied{ErrorMessage: "Not today."}, "",
			"access denied: Not today.\nThe flow does not let this user in.",
		},
		"captcha": {
			&challenge.Captcha{SiteKey: "site"}, "has no response to ak-stage-captcha\n",
			"ak-stage-captcha\nThis step needs a browser",
		},
		"no login": {&challenge.Redirect{To: "/"}, "", "\nThe flow has ended without a login."},
		"no machine": {
			&challenge.AuthenticatorValidation{
				DeviceChallenges: []challenge.DeviceChallenge{{DeviceClass: challenge.DeviceClassTOTP, DeviceUID: "1"}},
			},
			"has no response to ak-stage-authenticator-validate\n",
			"Code of the authenticator app: there is no terminal to type that at",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t)
			srv.Script("login", c.shown)
			got := login(t, srv.URL, nil, "-flow", "login")
			assert.NotEqual(t, cli.OK, got.Code)
			assert.Equal(t, c.stdout, got.Stdout)
			assert.Contains(t, got.Stderr, c.hint)
			assert.Zero(t, posts(srv))
		})
	}
}

func TestAWrongCodeIsExplained(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	srv.AddDevice("alice", authentiktest.Device{})
	other := base32.StdEncoding.EncodeToString([]byte("the key of another user"))
	got := login(t, srv.URL, map[string]string{"AUTHENTIK_TOTP_SECRET": other})
	assert.Equal(t, cli.Failed, got.Code)
	assert.Contains(t, got.Stderr, "\nAfter a wrong code the server rejects the right one, too")
	assert.Equal(t, 3, posts(srv))
}

func TestAWrongAddressIsExplained(t *testing.T) {
	t.Parallel()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprint(w, "<!doctype html><title>Log in</title>")
	}))
	t.Cleanup(page.Close)
	got := login(t, page.URL, nil)
	assert.Equal(t, cli.Failed, got.Code)
	assert.NotEmpty(t, got.Stderr)

	got = login(t, newServer(t).URL, nil, "-flow", "no-such-flow")
	assert.Equal(t, cli.Failed, got.Code)
	assert.Contains(t, got.Stderr, "\nThere is no flow with that slug: see -flow.")

	got = login(t, "sso.example.com", nil)
	assert.Equal(t, cli.Refused, got.Code)
	assert.Contains(t, got.Stderr, "\nSet AUTHENTIK_URL to your server's root")
}

func TestVariablesThatCannotBeRightAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		vars   map[string]string
		stderr string
	}{
		"no user": {map[string]string{"AUTHENTIK_USERNAME": ""}, "AUTHENTIK_USERNAME must be set"},
		"no password": {
			map[string]string{"AUTHENTIK_PASSWORD": ""},
			"Password: there is no terminal to type that at\nOr set AUTHENTIK_PASSWORD.",
		},
		"no base 32": {map[string]string{"AUTHENTIK_TOTP_SECRET": "01890189"}, "AUTHENTIK_TOTP_SECRET must be base 32"},
		"no key":     {map[string]string{"AUTHENTIK_TOTP_SECRET": " == "}, "AUTHENTIK_TOTP_SECRET must be base 32"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t)
			got := login(t, srv.URL, c.vars)
			assert.Equal(t, cli.Refused, got.Code)
			assert.Contains(t, got.Stderr, c.stderr)
			assert.Empty(t, srv.Requests())
		})
	}
}

// The test vectors of RFC 6238, of which the last six digits count.
func TestCodesAreThoseOfTheStandard(t *testing.T) {
	t.Parallel()
	key, err := decodeKey("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")
	require.NoError(t, err)
	for at, code := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471",
		1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		assert.Equal(t, code, totp(key, time.Unix(at, 0)))
	}
}
