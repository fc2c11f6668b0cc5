package authentiktest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"time"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
)

// A user logs in as a browser does: with cookies, and with a GET of the same
// URL after every redirect to it.
func ExampleServer_AddAccount() {
	srv := authentiktest.Start()
	defer srv.Close()
	srv.AddAccount(authentiktest.Account{Username: "alice", Password: "correct horse"})

	jar, err := cookiejar.New(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	client := http.Client{Jar: jar} // it follows the redirects by itself
	flow := srv.URL + "/api/v3/flows/executor/default-authentication-flow/?query="
	for _, response := range []string{`{"uid_field": "alice"}`, `{"password": "correct horse"}`} {
		resp, err := client.Post(flow, "application/json", bytes.NewBufferString(response))
		if err != nil {
			fmt.Println(err)
			return
		}
		var challenge struct{ Component, To string }
		err = errors.Join(json.NewDecoder(resp.Body).Decode(&challenge), resp.Body.Close())
		fmt.Println(challenge.Component, challenge.To, err)
	}
	resp, err := client.Get(srv.URL + "/api/v3/core/users/me/")
	if err != nil {
		fmt.Println(err)
		return
	}
	var me struct{ User struct{ Username string } }
	err = errors.Join(json.NewDecoder(resp.Body).Decode(&me), resp.Body.Close())
	fmt.Println("logged in as", me.User.Username, err)
	// Output:
	// ak-stage-password  <nil>
	// xak-flow-redirect / <nil>
	// logged in as alice <nil>
}

// In the examples below, b is a browser of this test: show sends a GET, and
// solve a POST.

func ExampleServer_AddDevice() {
	srv := authentiktest.RoundTripper(nil)
	srv.AddAccount(authentiktest.Account{Username: "alice", Password: "p"})
	device := srv.AddDevice("alice", authentiktest.Device{})

	b := newBrowser(srv)
	fmt.Println(b.logIn("alice", "p").Component)
	fmt.Println(b.solve("default-authentication-flow", m{"code": device.Code(time.Now())}).To)
	// Output:
	// ak-stage-authenticator-validate
	// /
}

func ExampleServer_DeleteDevices() {
	srv := authentiktest.RoundTripper(nil)
	srv.AddDevice("akadmin", authentiktest.Device{Codes: []string{"only-once"}})
	srv.DeleteDevices("akadmin")
	fmt.Println(newBrowser(srv).logIn("akadmin", authentiktest.AdminPassword).To)
	// Output: /
}

func ExampleDevice_Code() {
	device := authentiktest.Device{Secret: "JBSWY3DPEHPK3PXP"}
	fmt.Println(device.Code(time.Unix(1_700_000_000, 0)))
	// Output: 324550
}

func ExampleServer_AddStages() {
	srv := authentiktest.RoundTripper(nil)
	srv.AddFlow(authentik.Flow{Slug: "enroll", Designation: authentik.FlowDesignationEnrollment})
	srv.AddStages("enroll",
		authentiktest.PromptStage{Fields: []authentiktest.PromptField{
			{Key: "username", Type: "username", Required: true},
			{Key: "password", Type: "password", Required: true},
		}},
		authentiktest.UserWriteStage{},
		authentiktest.UserLoginStage{},
	)
	b := newBrowser(srv)
	fmt.Println(b.solve("enroll", m{"username": "akadmin", "password": "p"}).error("username"))
	fmt.Println(b.solve("enroll", m{"username": "bob", "password": "p"}).To, b.me())
	// Output:
	// Username is already taken.
	// / bob
}

func ExampleServer_ConfigureStage() {
	srv := authentiktest.RoundTripper(nil)
	srv.ConfigureStage(
		"default-authentication-mfa-validation",
		authentiktest.AuthenticatorValidateStage{NotConfigured: "deny"},
	)
	fmt.Println(newBrowser(srv).logIn("akadmin", authentiktest.AdminPassword).ErrorMessage)
	// Output: No (allowed) MFA authenticator configured.
}

func ExampleServer_AddPolicy() {
	srv := authentiktest.RoundTripper(nil)
	flow := srv.Flows()[11]
	srv.AddPolicy(flow.PK, func(r authentiktest.PolicyRequest) error {
		if r.Query.Get("from") != "office" {
			return errors.New("come to the office")
		}
		return nil
	})
	fmt.Println(flow.Slug, "says:", newBrowser(srv).show(flow.Slug).ErrorMessage)
	// Output: default-authentication-flow says: come to the office
}

// A provider is deleted with the flow by which it authorizes.
func ExampleServer_AddUse() {
	srv := authentiktest.RoundTripper(nil)
	flow := srv.AddFlow(authentik.Flow{Slug: "authorize", Designation: authentik.FlowDesignationAuthorization})
	srv.AddUse(flow.PK, authentik.UsedBy{Name: "Wiki"})
	uses, err := srv.Client().FlowsInstancesUsedByList(context.Background(), "authorize")
	for _, use := range uses {
		fmt.Println(use.ModelName, use.Name, use.Action, err)
	}
	// Output: provider Wiki cascade <nil>
}
