// Command consumer uses every public name of the library, as its callers do:
// what breaks its build breaks theirs. A test in the library's root sees that
// no name is missing here.
package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go"
)

// The signatures.
var (
	_ func(string, string, ...authentik.ClientOption) (*authentik.Client, error) = authentik.NewClient
	_ func(...authentik.ClientOption) (*authentik.Client, error)                 = authentik.NewClientFromEnv

	_ func(*http.Client) authentik.ClientOption                              = authentik.WithHTTPClient
	_ func(string, string) authentik.ClientOption                            = authentik.WithHeader
	_ func() authentik.ClientOption                                          = authentik.WithInsecureHTTP
	_ func(*slog.Logger) authentik.ClientOption                              = authentik.WithLogger
	_ func(int64) authentik.ClientOption                                     = authentik.WithMaxResponseSize
	_ func(func(http.RoundTripper) http.RoundTripper) authentik.ClientOption = authentik.WithMiddleware
	_ func(authentik.RetryPolicy) authentik.ClientOption                     = authentik.WithRetry
	_ func(time.Duration) authentik.ClientOption                             = authentik.WithTimeout
	_ func(func(context.Context) (string, error)) authentik.ClientOption     = authentik.WithTokenFunc
	_ func(string) authentik.ClientOption                                    = authentik.WithUserAgent
	_ func() authentik.RequestOption                                         = authentik.AdoptExisting
	_ func() authentik.RequestOption                                         = authentik.AllowListChanges
	_ func(int) authentik.RequestOption                                      = authentik.WithPrefetch
	_ func(*authentik.Response) authentik.RequestOption                      = authentik.WithResponse
	_ func(error) string                                                     = authentik.Hint
	_ func(iter.Seq2[authentik.Flow, error]) ([]authentik.Flow, error)       = authentik.Collect[authentik.Flow]
	_ func(iter.Seq2[authentik.Flow, error]) (authentik.Flow, error)         = authentik.One[authentik.Flow]
	_ func(iter.Seq2[authentik.Flow, error]) ([]authentik.Flow, error)       = authentik.Snapshot[authentik.Flow]
)

func _(ctx context.Context, c *authentik.Client) iter.Seq2[map[string]any, error] {
	return authentik.ListAll[map[string]any](ctx, c, "core/groups/", url.Values{}, authentik.WithPrefetch(2))
}

var (
	_ func(context.Context) (authentik.Info, bool) = authentik.RequestInfo
	_ func(context.Context) bool                   = authentik.RefreshToken
	_ http.RoundTripper                            = authentik.RoundTripFunc(nil)
	_                                              = authentik.Info{Op: "", Route: "", Attempt: int(0), Page: int(0)}
)

type (
	option  = authentik.RequestOption
	binding = authentik.FlowStageBinding
)

type flows interface {
	FlowsInstancesRetrieve(context.Context, string, ...option) (*authentik.Flow, error)
	FlowsInstancesCreate(context.Context, authentik.FlowRequest, ...option) (*authentik.Flow, error)
	FlowsInstancesUpdate(context.Context, string, authentik.FlowRequest, ...option) (*authentik.Flow, error)
	FlowsInstancesPartialUpdate(context.Context, string, authentik.FlowRequest, ...option) (*authentik.Flow, error)
	FlowsInstancesDestroy(context.Context, string, ...option) error
	FlowsInstancesUsedByList(context.Context, string, ...option) ([]authentik.UsedBy, error)
	FlowsInstancesDiagramRetrieve(context.Context, string, ...option) (*authentik.FlowDiagram, error)
	FlowsInstancesExportRetrieve(context.Context, string, ...option) (*authentik.FlowExport, error)
	FlowsInstancesExecuteRetrieve(context.Context, string, ...option) (*authentik.Link, error)
	FlowsInstancesCacheInfoRetrieve(context.Context, ...option) (*authentik.Cache, error)
	FlowsInstancesCacheClearCreate(context.Context, ...option) error
	FlowsInstancesImportCreate(context.Context, []byte, ...option) (*authentik.FlowImportResult, error)
	FlowsInstancesSetBackgroundCreate(context.Context, string, authentik.FlowBackground, ...option) error
	FlowsInstancesSetBackgroundURLCreate(context.Context, string, string, ...option) error
}

type bindings interface {
	BindingsList(context.Context, *authentik.BindingsListOptions, ...option) (*authentik.Page[binding], error)
	BindingsPages(context.Context, *authentik.BindingsListOptions, ...option) iter.Seq2[*authentik.Page[binding], error]
	BindingsAll(context.Context, *authentik.BindingsListOptions, ...option) iter.Seq2[binding, error]
	BindingsCreate(context.Context, authentik.FlowStageBindingRequest, ...option) (*binding, error)
	BindingsUpdate(context.Context, uuid.UUID, authentik.FlowStageBindingRequest, ...option) (*binding, error)
	BindingsPartialUpdate(context.Context, uuid.UUID, authentik.FlowStageBindingRequest, ...option) (*binding, error)
	BindingsDestroy(context.Context, uuid.UUID, ...option) error
	BindingsUsedByList(context.Context, uuid.UUID, ...option) ([]authentik.UsedBy, error)
}

type stages interface {
	StagesAllList(context.Context, *authentik.StagesAllListOptions, ...option) (*authentik.Page[authentik.Stage], error)
	StagesAllPages(context.Context, *authentik.StagesAllListOptions, ...option) iter.Seq2[*authentik.Page[authentik.Stage], error]
	StagesAllAll(context.Context, *authentik.StagesAllListOptions, ...option) iter.Seq2[authentik.Stage, error]
	StagesAllRetrieve(context.Context, uuid.UUID, ...option) (*authentik.Stage, error)
	StagesAllTypesList(context.Context, ...option) ([]authentik.StageType, error)
	StagesAllUsedByList(context.Context, uuid.UUID, ...option) ([]authentik.UsedBy, error)
	StagesAllDestroy(context.Context, uuid.UUID, ...option) error
}

type api interface {
	flows
	bindings
	stages
	Do(ctx context.Context, method, path string, query url.Values, in, out any, opts ...option) error
	FlowsInstancesList(context.Context, *authentik.FlowsInstancesListOptions, ...authentik.RequestOption) (*authentik.Page[authentik.Flow], error)
	FlowsInstancesAll(context.Context, *authentik.FlowsInstancesListOptions, ...authentik.RequestOption) iter.Seq2[authentik.Flow, error]
	FlowsInstancesPages(context.Context, *authentik.FlowsInstancesListOptions, ...authentik.RequestOption) iter.Seq2[*authentik.Page[authentik.Flow], error]
	BindingsRetrieve(context.Context, uuid.UUID, ...authentik.RequestOption) (*authentik.FlowStageBinding, error)
	ServerVersion(context.Context, ...authentik.RequestOption) (string, error)
	Get(ctx context.Context, path string, query url.Values, out any, opts ...authentik.RequestOption) error
	Close()
	fmt.Formatter
}

var _ api = (*authentik.Client)(nil)

type answer interface {
	error
	slog.LogValuer
	Unwrap() error
	Is(error) bool
}

var (
	_ = []answer{&authentik.ValidationError{}, &authentik.PermissionError{}}
	_ = []interface {
		error
		slog.LogValuer
	}{&authentik.APIError{}, &authentik.RequestError{}, &authentik.DecodeError{}}
	_ interface{ Unwrap() []error } = &authentik.RequestError{}
	_ interface{ Unwrap() error }   = &authentik.DecodeError{}
	_ error                         = &authentik.ArgumentError{}
	_ interface {
		error
		slog.LogValuer
		Is(error) bool
	} = &authentik.ImportError{}
	_ = []interface{ Known() bool }{
		authentik.FlowDesignation(""), authentik.FlowLayout(""), authentik.FlowDeniedAction(""),
		authentik.FlowAuthentication(""), authentik.PolicyEngineMode(""), authentik.InvalidResponseAction(""),
		authentik.UsedByAction(""),
	}
	_ interface{ Request() authentik.FlowRequest } = authentik.Flow{}
	_ interface {
		Request() authentik.FlowStageBindingRequest
	} = authentik.FlowStageBinding{}
)

// The fields, each by its name and type.
var (
	_ = authentik.FlowsInstancesListOptions{
		FlowUUID: uuid.UUID{}, Name: "", Slug: "", Designation: authentik.FlowDesignation(""), DeniedAction: authentik.FlowDeniedAction(""),
		Search: "", Ordering: "", Page: int(0), PageSize: int(0),
	}
	_ = authentik.Page[authentik.Flow]{Pagination: authentik.Pagination{}, Results: []authentik.Flow{}}
	_ = authentik.Pagination{Next: int(0), Previous: 0, Count: 0, Current: 0, TotalPages: 0, StartIndex: 0, EndIndex: 0}
	_ = authentik.Flow{
		PK: uuid.UUID{}, PolicyBindingModelPtrID: uuid.UUID{}, Name: "", Slug: "", Title: "", Designation: authentik.FlowDesignation(""),
		Background: "", BackgroundURL: "", BackgroundThemedURLs: &authentik.ThemedURLs{Light: "", Dark: ""},
		Stages: []uuid.UUID{}, Policies: []uuid.UUID{}, CacheCount: int(0), PolicyEngineMode: authentik.PolicyEngineMode(""),
		CompatibilityMode: false, ExportURL: "", Layout: authentik.FlowLayout(""),
		DeniedAction: authentik.FlowDeniedAction(""), Authentication: authentik.FlowAuthentication(""),
	}
	_ = authentik.FlowStageBinding{
		PK: uuid.UUID{}, PolicyBindingModelPtrID: uuid.UUID{}, Target: uuid.UUID{}, Stage: uuid.UUID{}, StageObj: authentik.Stage{},
		EvaluateOnPlan: false, ReEvaluatePolicies: false, Order: int(0),
		PolicyEngineMode: authentik.PolicyEngineMode(""), InvalidResponseAction: authentik.InvalidResponseAction(""),
	}
	_ = authentik.Stage{
		PK: uuid.UUID{}, Name: "", Component: "", VerboseName: "", VerboseNamePlural: "", MetaModelName: "", FlowSet: []authentik.FlowSet{},
	}
	_ = authentik.FlowSet{
		PK: uuid.UUID{}, PolicyBindingModelPtrID: uuid.UUID{}, Name: "", Slug: "", Title: "", Designation: "", Background: "", BackgroundURL: "",
		PolicyEngineMode: "", CompatibilityMode: false, ExportURL: "", Layout: "", DeniedAction: "",
	}
	_ = authentik.FlowRequest{
		Name: "", Slug: "", Title: "", Designation: authentik.FlowDesignation(""),
		PolicyEngineMode: authentik.PolicyEngineMode(""), CompatibilityMode: new(false), Layout: authentik.FlowLayout(""),
		DeniedAction: authentik.FlowDeniedAction(""), Authentication: authentik.FlowAuthentication(""), Background: new(""),
	}
	_ = authentik.FlowStageBindingRequest{
		Target: uuid.UUID{}, Stage: uuid.UUID{}, Order: new(0), EvaluateOnPlan: new(false), ReEvaluatePolicies: new(false),
		PolicyEngineMode:      authentik.PolicyEngineMode(""),
		InvalidResponseAction: authentik.InvalidResponseAction(""),
	}
	_ = authentik.BindingsListOptions{
		FSBUUID: uuid.UUID{}, PBMUUID: uuid.UUID{}, Target: uuid.UUID{}, Stage: uuid.UUID{}, Policies: []uuid.UUID{},
		Order: new(0), EvaluateOnPlan: new(false), ReEvaluatePolicies: new(false),
		PolicyEngineMode:      authentik.PolicyEngineMode(""),
		InvalidResponseAction: authentik.InvalidResponseAction(""), Search: "", Ordering: "", Page: int(0), PageSize: int(0),
	}
	_ = authentik.StagesAllListOptions{Name: "", Search: "", Ordering: "", Page: int(0), PageSize: int(0)}
	_ = authentik.StageType{
		Name: "", Description: "", Component: "", ModelName: "", IconURL: "", RequiresEnterprise: false, Deprecated: false,
	}
	_ = authentik.UsedBy{App: "", ModelName: "", PK: "", Name: "", Action: authentik.UsedByAction("")}
	_ = authentik.FlowDiagram{Diagram: ""}
	_ = authentik.FlowExport{Filename: "", ContentType: "", Content: []byte{}}
	_ = authentik.FlowImportResult{Success: false, Logs: []authentik.FlowImportLog{}}
	_ = authentik.FlowImportLog{Timestamp: "", LogLevel: "", Logger: "", Event: "", Attributes: map[string]any{}}
	_ = authentik.FlowBackground{Filename: "", Content: []byte{}, Clear: false}
	_ = authentik.Link{Link: ""}
	_ = authentik.Cache{Count: int(0)}
	_ = authentik.RetryPolicy{
		MaxAttempts: int(0), BaseDelay: time.Duration(0), MaxDelay: time.Duration(0), MaxRetryAfter: time.Duration(0),
		StartupWait: time.Duration(0), MaxElapsed: time.Duration(0), WaitForServer: false,
	}
	_ = authentik.Response{StatusCode: 0, Header: http.Header{}, RequestID: "", Attempts: 0, Body: []byte{}}
	_ = authentik.APIError{
		Op: "", Method: "", Path: "", StatusCode: 0, RequestID: "", Detail: "", RetryAfter: time.Duration(0), Attempts: 0, Body: []byte{},
		Foreign: false,
	}
	_ = authentik.ValidationError{APIError: &authentik.APIError{}, Fields: map[string][]string{}, NonFieldErrors: []string{}}
	_ = authentik.PermissionError{APIError: &authentik.APIError{}}
	_ = authentik.RequestError{Op: "", Method: "", Path: "", Host: "", Attempts: 0, Err: errors.New("")}
	_ = authentik.DecodeError{
		Op: "", Method: "", Path: "", RequestID: "", ContentType: "", JSONPath: "", Excerpt: "", StatusCode: 0, Attempts: 0, Err: errors.New(""),
	}
	_ = authentik.ImportError{Result: &authentik.FlowImportResult{}}
	_ = authentik.ArgumentError{Op: "", Field: "", Reason: ""}
)

// The constants and the sentinels.
var (
	_ = []authentik.FlowDesignation{
		authentik.FlowDesignationAuthentication, authentik.FlowDesignationAuthorization, authentik.FlowDesignationInvalidation,
		authentik.FlowDesignationEnrollment, authentik.FlowDesignationUnenrollment, authentik.FlowDesignationRecovery,
		authentik.FlowDesignationStageConfiguration,
	}
	_ = []authentik.FlowLayout{
		authentik.FlowLayoutStacked, authentik.FlowLayoutContentLeft, authentik.FlowLayoutContentRight, authentik.FlowLayoutSidebarLeft,
		authentik.FlowLayoutSidebarRight, authentik.FlowLayoutSidebarLeftFrameBackground, authentik.FlowLayoutSidebarRightFrameBackground,
	}
	_ = []authentik.FlowDeniedAction{
		authentik.FlowDeniedActionMessageContinue, authentik.FlowDeniedActionMessage, authentik.FlowDeniedActionContinue,
	}
	_ = []authentik.FlowAuthentication{
		authentik.FlowAuthenticationNone, authentik.FlowAuthenticationRequireAuthenticated, authentik.FlowAuthenticationRequireUnauthenticated,
		authentik.FlowAuthenticationRequireSuperuser, authentik.FlowAuthenticationRequireOutpost, authentik.FlowAuthenticationRequireRedirect,
		authentik.FlowAuthenticationRequireToken,
	}
	_ = []authentik.PolicyEngineMode{authentik.PolicyEngineModeAll, authentik.PolicyEngineModeAny}
	_ = []authentik.InvalidResponseAction{
		authentik.InvalidResponseActionRetry, authentik.InvalidResponseActionRestart, authentik.InvalidResponseActionRestartWithContext,
	}
	_ = []authentik.UsedByAction{
		authentik.UsedByActionCascade, authentik.UsedByActionCascadeMany, authentik.UsedByActionSetNull,
		authentik.UsedByActionSetDefault, authentik.UsedByActionLeftDangling,
	}
	_ = []error{
		authentik.ErrBadRequest, authentik.ErrUnauthorized, authentik.ErrForbidden, authentik.ErrNotFound, authentik.ErrRateLimited,
		authentik.ErrServer, authentik.ErrStarting, authentik.ErrPaginationStuck, authentik.ErrListChanged, authentik.ErrResponseTooLarge,
		authentik.ErrAttemptTimeout, authentik.ErrPerhapsDone, authentik.ErrNotAuthentik, authentik.ErrUnreachable, authentik.ErrTLS, authentik.ErrNotApplied, authentik.ErrUnsupported, authentik.ErrNoResult, authentik.ErrMultipleResults,
	}
)

func main() {}
