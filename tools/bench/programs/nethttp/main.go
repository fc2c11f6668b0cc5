// The smallest program that lists flows with the standard library alone.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
)

func main() {
	request, err := http.NewRequest(http.MethodGet, os.Getenv("AUTHENTIK_URL")+"/api/v3/flows/instances/", http.NoBody)
	if err != nil {
		panic(err)
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("AUTHENTIK_TOKEN"))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		panic(err)
	}
	defer func() { _ = response.Body.Close() }()
	var page struct {
		Results []struct{ Slug, Name, Designation string }
	}
	err = json.NewDecoder(response.Body).Decode(&page)
	fmt.Println(page, err)
}
