// Command quickstart is the first program of the README.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/seed-299d42e7/authentik-go"
)

func main() {
	client, err := authentik.NewClientFromEnv() // AUTHENTIK_URL and AUTHENTIK_TOKEN
	if err != nil {
		log.Fatal(err)
	}

	for flow, err := range client.FlowsInstancesAll(context.Background(), nil) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(flow.Slug, flow.Designation)
	}
}
