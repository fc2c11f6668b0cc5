// The smallest program that lists flows with this library.
package main

import (
	"context"
	"fmt"

	"github.com/seed-299d42e7/authentik-go"
)

func main() {
	client, err := authentik.NewClientFromEnv()
	if err != nil {
		panic(err)
	}
	page, err := client.FlowsInstancesList(context.Background(), nil)
	fmt.Println(page, err)
}
