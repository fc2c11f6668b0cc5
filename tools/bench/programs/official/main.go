// The smallest program that lists flows with the official generated client.
package main

import (
	"context"
	"fmt"
	"os"

	api "goauthentik.io/api/v3"
)

func main() {
	config := api.NewConfiguration()
	config.Servers = api.ServerConfigurations{{URL: os.Getenv("AUTHENTIK_URL") + "/api/v3"}}
	config.AddDefaultHeader("Authorization", "Bearer "+os.Getenv("AUTHENTIK_TOKEN"))
	page, _, err := api.NewAPIClient(config).FlowsApi.FlowsInstancesList(context.Background()).Execute()
	fmt.Println(page, err)
}
