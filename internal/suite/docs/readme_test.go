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
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

// The Go code of the README stands in this file too, and so is compiled.
func TestREADME_CodeCompiles(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(testkit.ModuleFile(t, "README.md"))
	require.NoError(t, err)
	here, err := os.ReadFile("readme_test.go")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllSubmatch(readme, -1)
	require.NotEmpty(t, blocks)
	for _, block := range blocks {
		assert.Contains(t, string(here), "\n"+string(block[1]))
	}
}

func printFlows(ctx context.Context, url, token string) error {
	client, err := authentik.NewClient(url, token) // such as https://sso.example.com
	if err != nil {
		return err
	}
	defer client.Close()

	for flow, err := range client.FlowsInstancesAll(ctx, nil) {
		if err != nil {
			return err
		}
		fmt.Println(flow.Slug, flow.Designation)
	}
	return nil
}

func more(ctx context.Context, client *authentik.Client, bindingID uuid.UUID) error {
	// One page, as the server sizes it.
	page, err := client.FlowsInstancesList(ctx, &authentik.FlowsInstancesListOptions{
		Designation: authentik.FlowDesignationRecovery,
		Ordering:    "-name",
	})
	if err != nil {
		return err
	}
	fmt.Println(page.Pagination.Count, len(page.Results))

	// Exactly one flow: ErrNoResult or ErrMultipleResults otherwise.
	flow, err := authentik.One(client.FlowsInstancesAll(ctx, &authentik.FlowsInstancesListOptions{
		Slug: "default-authentication-flow",
	}))
	if err != nil {
		return err
	}
	fmt.Println(flow.PK)

	// All of them, two pages ahead, and again if the list changed meanwhile.
	flows, err := authentik.Snapshot(client.FlowsInstancesAll(ctx, nil, authentik.WithPrefetch(2)))
	if err != nil {
		return err
	}
	fmt.Println(len(flows))

	// A binding with its stage.
	binding, err := client.BindingsRetrieve(ctx, bindingID)
	if err != nil {
		return err
	}
	fmt.Println(binding.Order, binding.StageObj.Name)

	// Any other endpoint: same transport, same errors, encoding/json.
	var me struct {
		User struct{ Username string }
	}
	return client.Get(ctx, "core/users/me/", nil, &me)
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
	list := testkit.Recording(t, "2026.8.0-rc1", "list")
	url := testkit.NewServer(t, list.Response)
	require.NoError(t, printFlows(t.Context(), url, testkit.Token))
	require.Error(t, more(t.Context(), testkit.NewClientAt(t, url), uuid.New()), "there is one page only, and no binding")
	_, err := withPrivateCA(url, testkit.Token, nil, tls.Certificate{})
	require.Error(t, err)
}

func TestRecoveryFlowIsFound(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t, authentiktest.Version("2024.10"))
	srv.AddFlow(authentik.Flow{Slug: "recovery", Designation: authentik.FlowDesignationRecovery})
	srv.FailNext(1, http.StatusBadGateway, "", nil)

	page, err := srv.Client().FlowsInstancesList(t.Context(), &authentik.FlowsInstancesListOptions{
		Designation: authentik.FlowDesignationRecovery,
	})
	if err != nil || len(page.Results) != 1 {
		t.Fatal("no recovery flow: ", err)
	}
}
