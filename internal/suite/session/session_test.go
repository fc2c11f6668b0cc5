// Package session_test has a test for everything that can go wrong during a
// login. The matrix below lists the faults and their outcomes; go test -run
// 'TestFault/X01_' runs one of them.
//
// Each fault happens at each request of a login with a name, a password and a
// code. No response to a challenge may be sent twice if the server may have got
// the first one. The login succeeds, or the error says why not and how far the
// request came. Afterwards the same session can log in.
package session_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/challenge"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

// steps are the requests of a login with a name, a password and a code.
var steps = []string{
	"GET /api/v3/flows/executor/default-authentication-flow/",
	"POST ak-stage-identification",
	"GET /api/v3/flows/executor/default-authentication-flow/",
	"POST ak-stage-password",
	"GET /api/v3/flows/executor/default-authentication-flow/",
	"POST ak-stage-authenticator-validate",
	"GET /api/v3/flows/executor/default-authentication-flow/",
	"GET /api/v3/core/users/me/",
}

// The steps that a row may treat otherwise than the rest.
const (
	firstContact = 1
	first        = 2 // response to a challenge
	lastLook     = 7 // its response has the cookies of the login
	proof        = 8
)

// cell is what comes of a fault at one step.
type cell struct {
	// text is the text of the error after "authentik: Login: ", "" for success.
	// %s is the method and the path of the step.
	text string
	is   []error
	// more is how many requests there are beyond those of a login that meets no
	// fault, up to the step or to the end.
	more testRange[int]
	took testRange[time.Duration]
}

type testRange[T int | time.Duration] struct{ from, to T }

func exactly[T int | time.Duration](n T) testRange[T]    { return testRange[T]{n, n} }
func between[T int | time.Duration](a, b T) testRange[T] { return testRange[T]{a, b} }

func assertWithin[T int | time.Duration](t *testing.T, want testRange[T], got T, what string) {
	t.Helper()
	assert.True(t, want.from <= got && got <= want.to, "%s: %v, want %v to %v", what, got, want.from, want.to)
}

// sentinels are all errors that a cell may be. It is none but those it names.
var sentinels = []error{
	authentik.ErrPerhapsDone, authentik.ErrFlowRestarted, authentik.ErrFlowStuck, authentik.ErrNotLoggedIn,
	authentik.ErrNotAuthentik, authentik.ErrBadCredentials, authentik.ErrStarting, authentik.ErrAttemptTimeout,
	authentik.ErrForbidden, authentik.ErrServer, authentik.ErrNotFound, context.Canceled,
}

var (
	perhapsDone = []error{authentik.ErrPerhapsDone}
	restarted   = []error{authentik.ErrFlowRestarted}
)

const (
	doubt  = " (1 attempt, the server may have executed the request)"
	anew   = "the server restarted the flow: default-authentication-flow shows ak-stage-identification"
	noUser = "403 Forbidden: Authentication credentials were not provided. (request ID, 1 attempt): the session is not logged in"
)

// retried is a success after one more request, at most after a second.
var retried = cell{more: exactly(1), took: between[time.Duration](0, time.Second)}

// unharmed is a success that costs nothing.
var unharmed = cell{}

// looked is a response of which the answer is lost. A GET shows that the server
// has executed it, as one would have followed anyway.
var looked = cell{}

// begunAnew is a session that the server does not know any more. One request
// more proves that nobody is logged in.
var begunAnew = cell{text: anew, is: restarted, more: exactly(1)}

// row is one fault.
type row struct {
	id, slug, outcome string

	fault     fault
	lasts     time.Duration // 0 is one request, testkit.Forever all further ones
	get, post cell
	at        map[int]cell // steps that differ
}

func (r row) cell(step int) cell {
	if c, ok := r.at[step]; ok {
		return c
	}
	if strings.HasPrefix(steps[step-1], http.MethodPost) {
		return r.post
	}
	return r.get
}

func TestFault(t *testing.T) {
	t.Parallel()
	for _, row := range matrix {
		t.Run(row.id+"_"+row.slug, func(t *testing.T) {
			t.Parallel()
			for i, step := range steps {
				for _, version := range []string{"2021.12", "2026.8"} {
					testkit.RunInBubble(t, fmt.Sprintf("%d %s of %s", i+1, step, version), func(t *testing.T) {
						row.run(t, i+1, version)
					})
				}
			}
		})
	}
}

const username = "alice"

func (r row) run(t *testing.T, step int, version string) {
	want := r.cell(step)
	w := newWire(t, authentiktest.Version(version))
	credentials := w.account()
	w.fault = r.fault
	switch r.lasts {
	case 0:
		w.meets = once(step)
	case testkit.Forever:
		w.meets = from(step)
	default:
		w.meets = during(step, r.lasts)
	}
	var log testkit.Log
	session := w.session(t, authentik.WithLogger(log.Logger()))

	began := time.Now()
	user, err := session.Login(t.Context(), loginFlow, credentials)
	took := time.Since(began)
	planned := len(steps)
	if want.text != "" {
		planned = step
	}
	want.assert(t, step, user, err)
	assertWithin(t, want.more, len(w.requests())-planned, fmt.Sprintf("requests beyond %d: %q", planned, w.requests()))
	assertWithin(t, want.took, took.Truncate(time.Second), "it took")
	for response, n := range w.inDoubt {
		assert.Equal(t, 1, n, "%s was sent again", response)
	}
	testkit.AssertNoSecrets(t, session)
	testkit.AssertNoSecretsIn(t, "the log", log.String())

	// The code of a device is good for once.
	w.fault = nil
	testkit.Advance(time.Minute)
	user, err = session.Login(t.Context(), loginFlow, credentials)
	require.NoError(t, err, "the session can go on")
	assert.Equal(t, username, user.Username)
}

// account adds a user with a password and a device.
func (w *wire) account() authentik.Credentials {
	w.server.AddAccount(authentiktest.Account{Username: username, Password: testkit.Token})
	w.server.Script("another", &challenge.Dummy{})
	device := w.server.AddDevice(username, authentiktest.Device{})
	return authentik.Credentials{
		Username: username, Password: testkit.Token,
		TOTP: func(context.Context) (string, error) { return device.Code(time.Now()), nil },
	}
}

var requestID = regexp.MustCompile(`request [0-9a-f]{32}`)

func (c cell) assert(t *testing.T, step int, user *authentik.User, err error) {
	t.Helper()
	if c.text == "" {
		require.NoError(t, err)
		assert.Equal(t, username, user.Username)
		return
	}
	require.Error(t, err)
	assert.Nil(t, user)
	method, path, _ := strings.Cut(steps[step-1], " ")
	if method == http.MethodPost {
		_, path, _ = strings.Cut(steps[0], " ")
	}
	text := requestID.ReplaceAllString(err.Error(), "request ID")
	want := "authentik: Login: " + strings.ReplaceAll(c.text, "%s", method+" "+path)
	if strings.Contains(want, "%d") {
		text = regexp.MustCompile(`\d+ attempts`).ReplaceAllString(text, "%d attempts")
	}
	assert.Equal(t, want, text)
	for _, sentinel := range sentinels {
		assert.Equal(t, slices.Contains(c.is, sentinel), errors.Is(err, sentinel), "is it %q? %v", sentinel, err)
	}
	testkit.AssertNoSecrets(t, err)
}

func TestMatrix_IsComplete(t *testing.T) {
	t.Parallel()
	for i, row := range matrix {
		assert.Equal(t, fmt.Sprintf("X%02d", i+1), row.id)
		assert.Regexp(t, `^[a-z0-9_]+$`, row.slug)
		assert.NotEmpty(t, row.outcome)
		assert.NotNil(t, row.fault)
	}
	w := newWire(t)
	_, err := w.session(t).Login(t.Context(), loginFlow, w.account())
	require.NoError(t, err)
	assert.Equal(t, steps, w.requests(), "a login without a fault")
}

// Each fault that passes happens to each request of a logout.
func TestLogout_SurvivesFault(t *testing.T) {
	t.Parallel()
	for _, row := range matrix {
		if row.lasts != 0 || row.get.text != "" {
			continue
		}
		for step := 1; step <= 2; step++ {
			testkit.RunInBubble(t, fmt.Sprintf("%s_%s/%d", row.id, row.slug, step), func(t *testing.T) {
				w := newWire(t)
				session := w.session(t)
				_, err := session.Login(t.Context(), loginFlow, w.account())
				require.NoError(t, err)
				before := len(w.requests())
				w.fault, w.meets = row.fault, once(before+step)
				require.NoError(t, session.Logout(t.Context(), logoutFlow))
				for _, sent := range w.requests()[before:] {
					assert.True(t, strings.HasPrefix(sent, http.MethodGet), sent)
				}
				_, err = session.Client()
				require.ErrorIs(t, err, authentik.ErrNotLoggedIn)
			})
		}
	}
}
