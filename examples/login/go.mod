// A module of its own, so that who depends on authentik-go does not get
// golang.org/x/term with it.
module github.com/seed-299d42e7/authentik-go/examples/login

go 1.26.0

// The library as it is beside this example. A go.work in the repository would
// do the same, and would also mix this dependency into the library's tests.
replace github.com/seed-299d42e7/authentik-go => ../..

require (
	github.com/seed-299d42e7/authentik-go v0.0.0-00010101000000-000000000000
	github.com/stretchr/testify v1.12.1
	golang.org/x/sys v0.50.0
	golang.org/x/term v0.48.0
)

require (
	github.com/go-json-experiment/json v1.27.2 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/hashicorp/go-cleanhttp v0.5.2 // indirect
	github.com/hashicorp/go-retryablehttp v0.7.8 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
)
