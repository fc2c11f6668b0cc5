module example.com/consumer

go 1.26.0

require (
	github.com/google/uuid v1.6.0
	github.com/seed-299d42e7/authentik-go v0.0.0
)

require (
	github.com/go-json-experiment/json v1.27.2 // indirect
	github.com/hashicorp/go-cleanhttp v0.5.2 // indirect
	github.com/hashicorp/go-retryablehttp v0.7.8 // indirect
)

replace github.com/seed-299d42e7/authentik-go => ../..
