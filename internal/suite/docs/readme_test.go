package docs_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

// The Go code of the README stands in this file and in quickstart too, and so is
// compiled.
func TestREADME_CodeCompiles(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(testkit.ModuleFile(t, "README.md"))
	require.NoError(t, err)
	var here strings.Builder
	for _, file := range []string{"readme_test.go", "quickstart/main.go"} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		here.Write(text)
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllSubmatch(readme, -1)
	require.NotEmpty(t, blocks)
	for _, block := range blocks {
		assert.Contains(t, here.String(), "\n"+string(block[1]))
	}
}

func read(ctx context.Context, client *authentik.Client) error {
	// The flows that log users in. Options of nil list all flows.
	logins := &authentik.FlowsInstancesListOptions{Designation: authentik.FlowDesignationAuthentication}
	for flow, err := range client.FlowsInstancesAll(ctx, logins) {
		if err != nil {
			return err
		}
		fmt.Println(flow.Slug, flow.Title)
	}

	flow, err := client.FlowsInstancesRetrieve(ctx, "default-authentication-flow")
	if err != nil {
		return err
	}

	// The stages of the flow, in their order, whatever the number of pages.
	bindings := client.BindingsAll(ctx, &authentik.BindingsListOptions{Target: flow.PK})
	for binding, err := range bindings {
		if err != nil {
			return err
		}
		fmt.Println(binding.Order, binding.StageObj.Name)
	}

	// All flows in one consistent list, with two pages fetched ahead.
	flows, err := authentik.Snapshot(client.FlowsInstancesAll(ctx, nil, authentik.WithPrefetch(2)))
	if err != nil {
		return err
	}
	fmt.Println(len(flows))

	// Any other endpoint: the same transport and the same errors.
	var me struct {
		User struct{ Username string }
	}
	return client.Get(ctx, "core/users/me/", nil, &me)
}

func write(ctx context.Context, client *authentik.Client, stages ...string) (*authentik.Flow, error) {
	flow, err := client.FlowsInstancesCreate(ctx, authentik.FlowRequest{
		Name: "Sign up", Slug: "sign-up", Title: "Welcome", Designation: authentik.FlowDesignationEnrollment,
	}, authentik.AdoptExisting()) // a second run finds the flow
	if err != nil {
		return nil, err
	}
	for i, name := range stages {
		stage, err := authentik.One(client.StagesAllAll(ctx, &authentik.StagesAllListOptions{Name: name}))
		if err != nil {
			return nil, err
		}
		// A zero field is not sent. A pointer is for values such as 0 and false.
		_, err = client.BindingsCreate(ctx, authentik.FlowStageBindingRequest{
			Target: flow.PK, Stage: stage.PK, Order: new(10 * i),
		}, authentik.AdoptExisting())
		if err != nil {
			return nil, err
		}
	}
	return flow, nil
}

// reorder moves the bindings of a flow, so that its stages come in this order.
func reorder(ctx context.Context, client *authentik.Client, flow *authentik.Flow, stages ...string) error {
	bindings, err := authentik.Snapshot(client.BindingsAll(ctx, &authentik.BindingsListOptions{Target: flow.PK}))
	if err != nil {
		return err
	}
	for _, binding := range bindings {
		place := slices.Index(stages, binding.StageObj.Name)
		if place < 0 {
			continue // keeps its order
		}
		_, err := client.BindingsPartialUpdate(ctx, binding.PK, authentik.FlowStageBindingRequest{Order: new(10 * place)})
		if err != nil {
			return err
		}
	}
	return nil
}

func logIn(ctx context.Context, url, password string, totp func(context.Context) (string, error)) error {
	session, err := authentik.NewSession(url) // such as https://sso.example.com
	if err != nil {
		return err
	}
	defer session.Close()

	user, err := session.Login(ctx, "default-authentication-flow",
		authentik.Credentials{Username: "alice", Password: password, TOTP: totp})
	if err != nil {
		return err // errors.Is(err, authentik.ErrBadCredentials), …
	}
	fmt.Println(user.Name)

	client, err := session.Client() // acts as alice: cookies instead of a token
	if err != nil {
		return err
	}
	_, err = client.FlowsInstancesList(ctx, nil)
	return err
}

func withPrivateCA(url, token string, ca []byte, certificate tls.Certificate) (*authentik.Client, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, errors.New("no certificate in the PEM data")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{
		MinVersion:   tls.VersionTLS12,
		RootCAs:      roots,
		Certificates: []tls.Certificate{certificate}, // mTLS; leave it out for a private CA alone
	}
	return authentik.NewClient(url, token, authentik.WithHTTPClient(&http.Client{Transport: transport}))
}

func TestREADME_CodeRuns(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	require.NoError(t, read(t.Context(), srv.Client()))

	srv.AddAccount(authentiktest.Account{Username: "alice", Password: "correct horse", Superuser: true})
	noDevice := func(context.Context) (string, error) { return "", errors.New("alice has no device") }
	require.NoError(t, logIn(t.Context(), srv.URL, "correct horse", noDevice))

	_, err := withPrivateCA(srv.URL, srv.Token, nil, tls.Certificate{})
	require.Error(t, err)
}

func TestSignUp(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t, authentiktest.Version("2024.10"))
	password, login := "default-authentication-password", "default-authentication-login"
	flow, err := write(t.Context(), srv.Client(), password, login)
	if err != nil {
		t.Fatal(err)
	}
	srv.FailNext(1, http.StatusBadGateway, "", nil) // for a read, which the client retries
	if err := reorder(t.Context(), srv.Client(), flow, login, password); err != nil {
		t.Fatal(err)
	}
	bindings, err := authentik.Collect(srv.Client().BindingsAll(t.Context(), &authentik.BindingsListOptions{Target: flow.PK}))
	if err != nil {
		t.Fatal(err)
	}
	if len(bindings) != 2 || bindings[0].StageObj.Name != login {
		t.Error("the login stage is not the first of two")
	}

	srv.AddAccount(authentiktest.Account{Username: "alice", Password: "correct horse", Superuser: true})
	if err := logIn(t.Context(), srv.URL, "correct horse", nil); err != nil {
		t.Error(err)
	}
	if err := logIn(t.Context(), srv.URL, "wrong", nil); !errors.Is(err, authentik.ErrBadCredentials) {
		t.Error(err)
	}
}
