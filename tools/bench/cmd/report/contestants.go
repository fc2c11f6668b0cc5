package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/google/uuid"
	api "goauthentik.io/api/v3"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/internal/wire"
)

const token = "benchmark-token"

// The contestants, by the names that the report has for them.
const (
	ours     = "authentik-go"
	official = "goauthentik.io/api/v3"
	plain    = "net/http + encoding/json"
	bodyOnly = "net/http, body only"
)

var contestants = []string{ours, official, plain, bodyOnly}

// client is what each of them does with a server.
type client struct {
	// list reads a page of that size and returns the number of flows on it; a
	// size of 0 is not sent. more tells whether there is a next page.
	list     func(ctx context.Context, page, size int) (flows int, more bool, err error)
	retrieve func(ctx context.Context, id string) error
	// walk reads all flows, as a user of it would; a size of 0 is not sent.
	walk func(ctx context.Context, size int) (flows int, err error)
	// create, patch and remove write the flow with that slug.
	create, patch, remove func(ctx context.Context, slug string) error
}

// What a flow is created with, and what is changed.
const (
	flowName  = "Benchmark"
	flowTitle = "Welcome to the benchmark"
)

var errOther = errors.New("another flow came back")

// same checks that the flow that came back is the one that was sent.
func same(got, want string, err error) error {
	if err == nil && got != want {
		err = errOther
	}
	return err
}

func newClient(name, url string) (*client, error) {
	switch name {
	case ours:
		return newOurs(url, nil)
	case official:
		return newOfficial(url), nil
	case plain:
		return newPlain(url), nil
	default:
		return newBodyOnly(url), nil
	}
}

func newOurs(url string, clientOpts []authentik.ClientOption, opts ...authentik.RequestOption) (*client, error) {
	ak, err := authentik.NewClient(url, token, clientOpts...)
	if err != nil {
		return nil, err
	}
	return &client{
		list: func(ctx context.Context, page, size int) (int, bool, error) {
			p, err := ak.FlowsInstancesList(ctx, &authentik.FlowsInstancesListOptions{Page: page, PageSize: size})
			if err != nil {
				return 0, false, err
			}
			return len(p.Results), p.Pagination.Next != 0, nil
		},
		retrieve: func(ctx context.Context, id string) error {
			pk, err := uuid.Parse(id)
			if err != nil {
				return err
			}
			_, err = ak.BindingsRetrieve(ctx, pk)
			return err
		},
		walk: func(ctx context.Context, size int) (flows int, err error) {
			for _, err := range ak.FlowsInstancesAll(ctx, &authentik.FlowsInstancesListOptions{PageSize: size}, opts...) {
				if err != nil {
					return flows, err
				}
				flows++
			}
			return flows, nil
		},
		create: func(ctx context.Context, slug string) error {
			_, err := ak.FlowsInstancesCreate(ctx, authentik.FlowRequest{
				Name: flowName, Slug: slug, Title: flowTitle, Designation: authentik.FlowDesignationUnenrollment,
			})
			return err // it has compared the slug
		},
		patch: func(ctx context.Context, slug string) error {
			_, err := ak.FlowsInstancesPartialUpdate(ctx, slug, authentik.FlowRequest{Title: flowTitle})
			return err
		},
		remove: func(ctx context.Context, slug string) error { return ak.FlowsInstancesDestroy(ctx, slug) },
	}, nil
}

// pageByPage is the walk of whoever has to write it.
func (c *client) pageByPage() *client {
	c.walk = func(ctx context.Context, size int) (int, error) {
		all := 0
		for page := 1; ; page++ {
			flows, more, err := c.list(ctx, page, size)
			if err != nil {
				return all, err
			}
			if all += flows; !more {
				return all, nil
			}
		}
	}
	return c
}

func newOfficial(url string) *client {
	ak := officialAPI(url, nil)
	return (&client{
		list: func(ctx context.Context, page, size int) (int, bool, error) {
			request := ak.FlowsInstancesList(ctx).Page(int32(page))
			if size > 0 {
				request = request.PageSize(int32(size))
			}
			p, _, err := request.Execute() //nolint:bodyclose // it has closed it
			if err != nil {
				return 0, false, err
			}
			return len(p.Results), p.Pagination.Next != 0, nil
		},
		retrieve: func(ctx context.Context, id string) error {
			_, _, err := ak.FlowsBindingsRetrieve(ctx, id).Execute() //nolint:bodyclose // it has closed it
			return err
		},
		create: func(ctx context.Context, slug string) error {
			flow := api.NewFlowRequest(flowName, slug, flowTitle, api.FLOWDESIGNATIONENUM_UNENROLLMENT)
			got, _, err := ak.FlowsInstancesCreate(ctx).FlowRequest(*flow).Execute() //nolint:bodyclose // it has closed it
			return same(got.GetSlug(), slug, err)
		},
		patch: func(ctx context.Context, slug string) error {
			change := api.PatchedFlowRequest{Title: new(flowTitle)}
			got, _, err := ak.FlowsInstancesPartialUpdate(ctx, slug).PatchedFlowRequest(change).Execute() //nolint:bodyclose // it has closed it
			return same(got.GetSlug(), slug, err)
		},
		remove: func(ctx context.Context, slug string) error {
			_, err := ak.FlowsInstancesDestroy(ctx, slug).Execute() //nolint:bodyclose // it has closed it
			return err
		},
	}).pageByPage()
}

// officialAPI is the official client's operations on flows. via may be nil.
func officialAPI(url string, via *http.Client) *api.FlowsApiService {
	config := api.NewConfiguration()
	config.Servers = api.ServerConfigurations{{URL: url + "/api/v3"}}
	config.AddDefaultHeader("Authorization", "Bearer "+token)
	config.HTTPClient = via
	return api.NewAPIClient(config).FlowsApi
}

func newPlain(url string) *client {
	write := func(ctx context.Context, method, path, slug string, status int, flow any) error {
		sent, err := json.Marshal(flow)
		if err != nil {
			return err
		}
		body, err := do(ctx, method, url+path, sent, status)
		if err != nil {
			return err
		}
		var got plainFlow
		err = json.Unmarshal(body, &got)
		return same(got.Slug, slug, err)
	}
	return (&client{
		list: func(ctx context.Context, page, size int) (int, bool, error) {
			var p plainPage
			body, err := get(ctx, url+listPath(page, size))
			if err == nil {
				err = json.Unmarshal(body, &p)
			}
			return len(p.Results), p.Pagination.Next != 0, err
		},
		retrieve: func(ctx context.Context, id string) error {
			body, err := get(ctx, url+"/api/v3/flows/bindings/"+id+"/")
			if err != nil {
				return err
			}
			return json.Unmarshal(body, new(plainBinding))
		},
		create: func(ctx context.Context, slug string) error {
			return write(ctx, http.MethodPost, flowsPath, slug, http.StatusCreated, plainFlowRequest{
				Name: flowName, Slug: slug, Title: flowTitle, Designation: "unenrollment",
			})
		},
		patch: func(ctx context.Context, slug string) error {
			return write(ctx, http.MethodPatch, flowsPath+slug+"/", slug, http.StatusOK, plainFlowRequest{Title: flowTitle})
		},
		remove: func(ctx context.Context, slug string) error {
			_, err := do(ctx, http.MethodDelete, url+flowsPath+slug+"/", nil, http.StatusNoContent)
			return err
		},
	}).pageByPage()
}

// newBodyOnly decodes nothing and has its requests ready: the least that any
// client must do.
func newBodyOnly(url string) *client {
	return (&client{
		list: func(ctx context.Context, page, size int) (int, bool, error) {
			body, err := get(ctx, url+listPath(page, size))
			if err != nil {
				return 0, false, err
			}
			more := !bytes.HasPrefix(body, []byte(`{"pagination":{"next":0,`))
			return bytes.Count(body, []byte(`"slug":`)), more, nil
		},
		retrieve: func(ctx context.Context, id string) error {
			_, err := get(ctx, url+"/api/v3/flows/bindings/"+id+"/")
			return err
		},
		create: func(ctx context.Context, slug string) error {
			flow := []byte(`{"name":"` + flowName + `","slug":"` + slug + `","title":"` + flowTitle + `","designation":"unenrollment"}`)
			_, err := do(ctx, http.MethodPost, url+flowsPath, flow, http.StatusCreated)
			return err
		},
		patch: func(ctx context.Context, slug string) error {
			_, err := do(ctx, http.MethodPatch, url+flowsPath+slug+"/", []byte(`{"title":"`+flowTitle+`"}`), http.StatusOK)
			return err
		},
		remove: func(ctx context.Context, slug string) error {
			_, err := do(ctx, http.MethodDelete, url+flowsPath+slug+"/", nil, http.StatusNoContent)
			return err
		},
	}).pageByPage()
}

const flowsPath = "/api/v3/flows/instances/"

func listPath(page, size int) string {
	path := flowsPath + "?page=" + strconv.Itoa(page)
	if size > 0 {
		path += "&page_size=" + strconv.Itoa(size)
	}
	return path
}

func get(ctx context.Context, url string) ([]byte, error) {
	return do(ctx, http.MethodGet, url, nil, http.StatusOK)
}

func do(ctx context.Context, method, url string, sent []byte, status int) ([]byte, error) {
	var body io.Reader = http.NoBody
	if sent != nil {
		body = bytes.NewReader(sent)
	}
	request, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	if sent != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() //nolint:errcheck // it is read to its end
	if response.StatusCode != status {
		return nil, fmt.Errorf("%s %s: %s", method, url, response.Status)
	}
	return io.ReadAll(response.Body)
}

// decoder decodes a page of flows and returns their number.
func decoder(name string) func(body []byte) (int, error) {
	switch name {
	case ours:
		return func(body []byte) (int, error) {
			var p authentik.Page[authentik.Flow]
			err := wire.Decode(body, &p) // as the client does
			return len(p.Results), err
		}
	case official:
		return func(body []byte) (int, error) {
			var p api.PaginatedFlowList
			err := json.Unmarshal(body, &p)
			return len(p.Results), err
		}
	default:
		return func(body []byte) (int, error) {
			var p plainPage
			err := json.Unmarshal(body, &p)
			return len(p.Results), err
		}
	}
}

// What a user of encoding/json writes: the fields of a flow, and no more.
type plainPage struct {
	Pagination struct {
		Next       int `json:"next"`
		Previous   int `json:"previous"`
		Count      int `json:"count"`
		Current    int `json:"current"`
		TotalPages int `json:"total_pages"`
		StartIndex int `json:"start_index"`
		EndIndex   int `json:"end_index"`
	} `json:"pagination"`
	Results []plainFlow `json:"results"`
}

type plainFlow struct {
	PK                      string   `json:"pk"`
	PolicyBindingModelPtrID string   `json:"policybindingmodel_ptr_id"`
	Name                    string   `json:"name"`
	Slug                    string   `json:"slug"`
	Title                   string   `json:"title"`
	Designation             string   `json:"designation"`
	Background              string   `json:"background"`
	BackgroundURL           string   `json:"background_url"`
	BackgroundThemedURLs    any      `json:"background_themed_urls"`
	Stages                  []string `json:"stages"`
	Policies                []string `json:"policies"`
	CacheCount              int      `json:"cache_count"`
	PolicyEngineMode        string   `json:"policy_engine_mode"`
	CompatibilityMode       bool     `json:"compatibility_mode"`
	ExportURL               string   `json:"export_url"`
	Layout                  string   `json:"layout"`
	DeniedAction            string   `json:"denied_action"`
	Authentication          string   `json:"authentication"`
}

type plainFlowRequest struct {
	Name        string `json:"name,omitempty"`
	Slug        string `json:"slug,omitempty"`
	Title       string `json:"title,omitempty"`
	Designation string `json:"designation,omitempty"`
}

type plainBinding struct {
	PK                      string `json:"pk"`
	PolicyBindingModelPtrID string `json:"policybindingmodel_ptr_id"`
	Target                  string `json:"target"`
	Stage                   string `json:"stage"`
	StageObj                struct {
		PK                string      `json:"pk"`
		Name              string      `json:"name"`
		Component         string      `json:"component"`
		VerboseName       string      `json:"verbose_name"`
		VerboseNamePlural string      `json:"verbose_name_plural"`
		MetaModelName     string      `json:"meta_model_name"`
		FlowSet           []plainFlow `json:"flow_set"`
	} `json:"stage_obj"`
	EvaluateOnPlan        bool   `json:"evaluate_on_plan"`
	ReEvaluatePolicies    bool   `json:"re_evaluate_policies"`
	PolicyEngineMode      string `json:"policy_engine_mode"`
	InvalidResponseAction string `json:"invalid_response_action"`
	Order                 int    `json:"order"`
}
