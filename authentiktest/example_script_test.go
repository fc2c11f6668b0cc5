package authentiktest_test

import (
	"fmt"

	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/challenge"
)

func ExampleServer_Script() {
	srv := authentiktest.RoundTripper(nil)
	srv.Script("login",
		&challenge.AuthenticatorSMS{PhoneNumberRequired: true},
		&challenge.AccessDenied{ErrorMessage: "No messages on Sundays."},
	)
	b := newBrowser(srv)
	fmt.Println(b.show("login").Component)
	fmt.Println(b.solve("login", m{"phone_number": "+15550100"}).ErrorMessage)
	fmt.Println(srv.Requests()[1].Operation, srv.Requests()[1].Body)
	// Output:
	// ak-stage-authenticator-sms
	// No messages on Sundays.
	// flows_executor_solve {"phone_number":"+15550100"}
}
