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
	"strings"
	"testing"

	"github.com/google/uuid"
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

func write(ctx context.Context, client *authentik.Client, stage uuid.UUID) error {
	flow, err := client.FlowsInstancesCreate(ctx, authentik.FlowRequest{
		Name: "Sign up", Slug: "sign-up", Title: "Welcome", Designation: authentik.FlowDesignationEnrollment,
	}, authentik.AdoptExisting()) // the script may run twice
	if err != nil {
		return err
	}
	binding, err := client.BindingsCreate(ctx, authentik.FlowStageBindingRequest{
		Target: flow.PK, Stage: stage, Order: new(10),
	}, authentik.AdoptExisting())
	if err != nil {
		return err
	}

	// A zero field is not sent. A pointer is for values such as 0 and false.
	_, err = client.BindingsPartialUpdate(ctx, binding.PK, authentik.FlowStageBindingRequest{Order: new(0)})
	return err
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
	require.NoError(t, logIn(t.Context(), srv.URL, "correct horse", nil))
	require.ErrorIs(t, logIn(t.Context(), srv.URL, "wrong", nil), authentik.ErrBadCredentials)

	_, err := withPrivateCA(srv.URL, srv.Token, nil, tls.Certificate{})
	require.Error(t, err)
}

func TestSignUpFlowIsCreated(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t, authentiktest.Version("2024.10"))
	srv.FailNext(1, http.StatusBadGateway, "", nil) // the client retries

	stage, err := authentik.One(srv.Client().StagesAllAll(t.Context(), &authentik.StagesAllListOptions{
		Name: "default-authentication-login",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if err := write(t.Context(), srv.Client(), stage.PK); err != nil {
		t.Fatal(err)
	}
	if flows := srv.Flows(); flows[len(flows)-1].Slug != "sign-up" {
		t.Error("there is no new flow")
	}
}
