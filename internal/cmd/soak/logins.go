package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
)

const (
	loginFlow  = "default-authentication-flow"
	logoutFlow = "default-invalidation-flow"
)

func user(i int) (name, password string) {
	return fmt.Sprintf("user-%02d", i), fmt.Sprintf("password of user %02d", i)
}

func (w *writes) addUsers(n int) {
	w.users = n
	for i := range n {
		name, password := user(i)
		w.server.AddAccount(authentiktest.Account{Username: name, Password: password})
	}
}

// login logs a user in with a new session, and out again every other time. A
// wrong password must be refused, and a right one must lead to no other user.
func (w *writer) login(ctx context.Context, url string) {
	session, err := authentik.NewSession(url, authentik.WithTimeout(attempt), authentik.WithRetry(retries))
	if err != nil {
		w.problem("a session could not be made: %v", err)
		return
	}
	defer session.Close()
	name, password := user(w.rand.IntN(w.users))
	right := w.rand.IntN(4) > 0
	if !right {
		password += ", and wrong"
	}
	me, err := session.Login(ctx, loginFlow, authentik.Credentials{Username: name, Password: password})
	switch {
	case err == nil && !right:
		w.problem("%s has logged in with a wrong password", name)
		return
	case err == nil && me.Username != name:
		w.problem("%s has logged in as %s", name, me.Username)
		return
	case !right && errors.Is(err, authentik.ErrBadCredentials):
		w.count("refused login")
		return
	case err != nil:
		w.lostLogin("login", err)
		return
	}
	w.count("login")
	w.actAs(ctx, session, name)
	if w.rand.IntN(2) == 0 {
		w.logout(ctx, session, name)
	}
}

// actAs reads who the session's client is.
func (w *writer) actAs(ctx context.Context, session *authentik.Session, name string) {
	ak, err := session.Client()
	if err != nil {
		w.problem("no client after the login of %s: %v", name, err)
		return
	}
	var me struct{ User struct{ Username string } }
	switch err := ak.Get(ctx, "core/users/me/", nil, &me); {
	case err != nil:
		w.lostLogin("act", err)
	case me.User.Username != name:
		w.problem("%s acts as %s", name, me.User.Username)
	}
}

func (w *writer) logout(ctx context.Context, session *authentik.Session, name string) {
	if err := session.Logout(ctx, logoutFlow); err != nil {
		w.lostLogin("logout", err)
		return
	}
	switch in, err := session.LoggedIn(ctx); {
	case err != nil:
		w.lostLogin("logout", err)
	case in:
		w.problem("%s is still logged in", name)
	default:
		w.count("logout")
	}
}

// lostLogin counts an error of a session, which the network must have caused:
// with an answer, a cookie may be lost.
func (w *writer) lostLogin(operation string, err error) {
	for name, lost := range map[string]error{
		"flow restarted": authentik.ErrFlowRestarted, "not logged in": authentik.ErrNotLoggedIn,
	} {
		if errors.Is(err, lost) {
			w.mu.Lock()
			w.failed[name]++
			w.mu.Unlock()
			return
		}
	}
	w.fault(operation, err)
}
