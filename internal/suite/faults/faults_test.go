// Package faults_test has a test for everything that can go wrong between a
// client and a server. The matrix below lists the faults and their outcomes;
// go test -run 'TestFault/T1_' runs one of them.
//
// A fault of the connection is in transport_test.go, of HTTP in http_test.go, of
// a response body in payload_test.go, of security in security_test.go, of
// concurrency in concurrency_test.go, of a restart in restart_test.go, of waits
// in pacing_test.go, and of what stands in front of the server in front_test.go.
package faults_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go/internal/testkit"
)

// matrix is everything that can go wrong between a client and a server, and
// what must come of it.
var matrix = []struct{ row, slug, outcome string }{
	// The transport.
	{"T1", "reset_before_headers", "asked again; for ever: a RequestError of 4 attempts that is ECONNRESET"},
	{"T2", "end_before_headers", "asked again; for ever: a RequestError of 4 attempts that is io.EOF"},
	{"T3", "body_shorter_than_its_length", "asked again, and no part of it is used"},
	{"T4", "reset_mid_body", "asked again, and no part of it is used"},
	{"T5", "broken_chunks", "asked again, and no part of it is used"},
	{"T6", "cut_body_without_length", "asked again as JSON that ends early, then a DecodeError"},
	{"T7", "body_longer_than_its_length", "asked again as JSON that ends early, then a DecodeError"},
	{"T8", "stream_reset_of_http2", "asked again, before the headers and in the body"},
	{"T9", "kept_connection_closed", "net/http sends it again: success at the first attempt"},
	{"T10", "connection_refused", "asked again; the error names the host and not the token"},
	{"T11", "no_such_host", "one attempt"},
	{"T12", "name_server_timeout", "asked again"},
	{"T13", "slow_headers", "two attempts of a minute, then ErrAttemptTimeout"},
	{"T14", "slow_body", "two attempts of a minute, then ErrAttemptTimeout"},
	{"T15", "slow_body_of_503", "two attempts of a minute, then ErrAttemptTimeout with the 503 in it"},
	{"T16", "no_answer", "two attempts of a minute, then ErrAttemptTimeout, which is not the caller's deadline"},
	{"T17", "untrusted_certificate", "one attempt, also where a RoundTripper wraps the error"},
	{"T18", "tls_alert", "one attempt"},
	{"T19", "https_to_http_port", "one attempt; the error says that the server speaks HTTP"},
	{"T20", "http_to_tls_port", "a 400 with the server's text; for other hosts see S3"},
	{"T21", "not_http", "one attempt, for a banner of SSH as for two Content-Length"},
	{"T22", "huge_headers", "one attempt, at most 1 MiB"},
	{"T23", "proxy_wants_authentication", "one attempt"},
	{"T24", "many_early_hints", "success at the first attempt"},

	// HTTP.
	{
		"H1",
		"503_for_ever",
		"an APIError of 4 attempts with detail, request ID and body; the client waits if the server says that it is starting",
	},
	{"H1b", "200_that_says_starting", "as a 503: the client waits, then returns an APIError"},
	{"H2", "retry_after", "the client waits in full, and up to a tenth more"},
	{"H3", "retry_after_too_long", "one attempt, at once, with RetryAfter"},
	{"H4", "retry_after_overflow", "as H3, and never a short wait"},
	{"H5", "retry_after_date", "a date far off as H3; one that is past, and 0, as an ordinary wait"},
	{"H6", "retry_after_forms", "dates in all forms of HTTP and numbers that are not negative; anything else is ignored"},
	{"H7", "retry_after_elsewhere", "heeded on 429 and 503 only"},
	{"H8", "retry_after_twice", "the larger counts"},
	{"H9", "429", "full jitter over 1, 2 and 4 s"},
	{"H10", "status_that_may_pass", "asked again: 408, 500, 502, 503, 520 to 523, 525 to 527, 530"},
	{"H11", "status_that_stays", "one attempt"},
	{"H12", "400_403_404", "one attempt, the typed error, its fields"},
	{"H13", "bad_token", "one attempt, a PermissionError, for 401 as for 403"},
	{"H14", "redirect", "one attempt, never followed; the error has the target without user, query and fragment"},
	{"H15", "redirect_to_nowhere", "as H14"},
	{"H16", "callers_check_redirect", "not consulted; as H14"},
	{"H17", "success_without_content", "a DecodeError, never a zero value; 304 an APIError"},
	{"H18", "hostile_reason_phrase", "not repeated: the text goes by the number"},
	{"H19", "hostile_error_body", "the status's error; at most 64 KiB of body and 512 bytes of message"},
	{"H20", "large_503", "the connection is used again, up to 64 KiB"},

	// The payload.
	{"P1", "html_login_page", "a DecodeError with content type and excerpt"},
	{"P2", "missing_fields", "a DecodeError that names the field"},
	{"P3", "trailing_data", "a DecodeError"},
	{"P4", "duplicate_keys", "a DecodeError, in every object that is modelled"},
	{"P5", "wrong_case", "a DecodeError"},
	{"P6", "numbers", "integers in any JSON form; others a DecodeError"},
	{"P7", "null_or_missing_pk", "a DecodeError with its path"},
	{"P8", "pk_that_is_no_uuid", "a DecodeError with its path"},
	{"P9", "null_element", "a DecodeError with its index"},
	{"P10", "newer_server", "unknown fields and values are no error"},
	{"P11", "invalid_utf8", "a DecodeError, also for a byte order mark"},
	{"P12", "64_MiB", "ErrResponseTooLarge after one byte more than the limit, one attempt"},
	{"P13", "gzip_bomb", "ErrResponseTooLarge by decompressed bytes, less than 4 times the limit allocated"},
	{"P14", "broken_gzip", "cut: asked again; no gzip: one attempt"},
	{"P15", "deep_nesting", "a DecodeError beyond 10 000"},
	{"P16", "million_empty_objects", "the first one is a DecodeError, less than 4 times the body allocated"},
	{"P17", "another_object", "a DecodeError"},

	// Pagination.
	{"G1", "last_page_vanishes", "ErrListChanged with the 404 in it, once"},
	{"G2", "delete_before_cursor", "what was seen, then ErrListChanged"},
	{"G3", "insert_before_cursor", "each pk once, then ErrListChanged"},
	{"G4", "insert_and_delete", "not to be seen, and so documented"},
	{"G5", "order_that_is_not_total", "slug is added; joins are refused"},
	{"G6", "next_is_current", "ErrPaginationStuck after one request for that page"},
	{"G7", "next_is_elsewhere", "ErrPaginationStuck after one request for that page"},
	{"G8", "same_items_for_ever", "ErrPaginationStuck"},
	{"G9", "page_not_asked_for", "ErrPaginationStuck"},
	{"G10", "page_size_clamped", "followed"},
	{"G11", "page_of_zero_or_less", "an ArgumentError, no request"},
	{"G12", "empty_page_with_a_next", "ErrPaginationStuck"},
	{"G13", "page_fails", "what came before, then one error that names the page"},
	{"G14", "break", "no further request, no goroutine"},
	{"G15", "numbers_that_contradict", "a DecodeError"},
	{"G16", "ranged_twice", "from the first page again"},

	// Security.
	{"S1", "redirect_to_other_hosts", "they receive nothing"},
	{"S2", "redirect_with_a_header", "its value stays with the first host"},
	{"S3", "http_base_url", "refused but for loopback and with WithInsecureHTTP"},
	{"S4", "user_in_base_url", "refused, not echoed"},
	{"S5", "malformed_base_url", "refused, not echoed, nothing to unwrap"},
	{"S6", "other_base_urls", "refused with a hint; paths are kept, /api/v3 never doubled"},
	{"S7", "malformed_token", "refused, not echoed, no request, of WithTokenFunc too"},
	{"S8", "path_injection", "refused, no request"},
	{"S9", "lenient_uuids", "only the form of 36 characters is one"},
	{"S10", "filter_values", "arrive as they are"},
	{"S11", "secrets_in_prints", "in none, of clients as of errors"},
	{"S12", "query_values", "in no error and no log, but for page, page_size and ordering"},
	{"S13", "default_log", "not a byte on stdout or stderr"},
	{"S14", "log_injection", "one line, escaped, cut"},
	{"S15", "tls_1_1", "refused"},
	{"S16", "proxy_of_the_environment", "honoured as by net/http"},
	{"S17", "callers_jar_and_redirects", "not used, and the caller's client is unchanged"},
	{"S18", "token_that_sees_less", "not to be seen, and so documented"},
	{"S19", "request_headers", "Accept and User-Agent, and no Accept-Encoding of ours"},

	// Concurrency.
	{"C1", "cancel_in_a_wait", "at once: Canceled, its cause, and the last APIError"},
	{"C2", "cancel_in_flight", "at once: Canceled and its cause"},
	{"C3", "deadline_before_a_retry", "at once, with the real error"},
	{"C4", "ended_context", "no request"},
	{"C5", "whose_deadline", "ErrAttemptTimeout or the context's error, never both"},
	{"C6", "fifty_goroutines", "no race"},
	{"C7", "failures_beside_others", "the others' connections stay"},
	{"C8", "bursts", "32 connections for four bursts of 32"},
	{"C9", "early_errors", "leave nothing running"},
	{"C10", "client_per_call", "nothing is left after Close"},
	{"C11", "thundering_herd", "100 clients retry at 290 instants or more of 300"},
	{"C12", "outage", "at most 300 requests for 200 calls; the error says why"},
	{"C13", "mutated_headers", "each attempt has its own"},
	{"C14", "dead_server_without_deadline", "it ends within MaxElapsed"},

	// A restart.
	{"R1", "restart_of_12_s", "success, whoever reports it, with a request each 1 to 2 s"},
	{"R2", "first_contact", "at most 4 attempts: a wrong URL fails fast"},
	{"R3", "first_contact_with_wait_for_server", "as R1; an error after StartupWait"},
	{"R4", "no_restart", "at most 4 attempts, for limiters and all other failures"},
	{"R5", "restart_beyond_the_bounds", "within the deadline, StartupWait and MaxAttempts"},
	{"R7", "timeout_of_a_proxy", "504 and 524 are sent again once, as after a timeout of ours"},
	{"R8", "response_that_never_parses", "one attempt"},
	{"R9", "clock_of_the_server", "a Retry-After date counts from the Date of the response"},
	{"R10", "ratelimit_reset", "honored on 429 without a Retry-After"},
	{"R11", "rate_limit", "no page ahead after a refusal until a request got through; every iteration ends right"},
	{"R12", "replica_that_lags", "Snapshot waits before each further pass, within the context"},
	{"R13", "panic_in_a_middleware", "raised in the goroutine that ranges, with WithPrefetch as without"},
	{"R6", "restart_during_a_post", "sent again only if the server cannot have executed it"},

	// What stands in front of the server.
	{"F1", "socks_proxy_that_refuses", "one attempt, for a proxy that does not let the client connect, or is none"},
	{"F2", "tls_to_the_proxy", "one attempt; the error and its hint are about the proxy, not about the server"},
	{"F3", "hint", "one that is right, or none"},
	{"F4", "head_of_a_login_page", "a DecodeError that is ErrNotAuthentik, by the Content-Type"},
	{"F5", "text_that_is_called_encoded", "read as the text that it is"},
	{"F6", "query_in_an_error_of_a_middleware", "removed; what the error wraps stays"},

	// Writes, each of them. A write repeats without harm if it is a PUT, a PATCH
	// without a new slug, a DELETE, or the clearing of the cache.
	{"W1", "write_refused", "sent again once the server listens; executed once"},
	{"W2", "write_reset_before", "sent again if it repeats; else ErrPerhapsDone after one request, not executed"},
	{"W3", "write_reset_after_commit", "sent again if it repeats; else ErrPerhapsDone after one request, executed"},
	{"W4", "write_cut_success", "as W3"},
	{"W5", "write_502_backend_refused", "sent again; executed once"},
	{"W6", "write_502_backend_reset", "as W2"},
	{"W7", "write_503_starting", "sent again until the server has started; executed once"},
	{"W8", "write_405_empty", "as W2, and ErrServer: the write crashed"},
	{"W9", "write_405_json", "one request, not executed, not ErrPerhapsDone; an import tries its next path"},
	{"W10", "write_400_exists", "one request, a ValidationError, not executed, not ErrPerhapsDone"},
	{"W11", "write_timeout", "two requests if it repeats, else one; ErrAttemptTimeout and ErrPerhapsDone"},
	{"W12", "adopt_reset_after_commit", "the object that exists, after one request to create it"},
	{"W13", "adopt_cut_success", "as W12"},
	{"W14", "adopt_timeout", "as W12"},
	{"W15", "adopt_reset_before", "ErrPerhapsDone after one request to create it, which does not exist"},
	{"W16", "adopt_502_backend_reset", "as W15"},
	{"W17", "adopt_405_empty", "as W15"},
}

// proof names a test of another package.
type proof struct{ file, test string }

// provenElsewhere names the tests of rows that are proven, in full or in part,
// by a test of another package.
var provenElsewhere = map[string]proof{
	"G1":  {"internal/suite/api/pagination_test.go", "TestFlowsInstancesAll_MissingPageIsListChange"},
	"G2":  {"internal/suite/api/pagination_test.go", "TestFlowsInstancesAll_ReportsListChange"},
	"G3":  {"internal/suite/api/pagination_test.go", "TestFlowsInstancesPages_DropsRepeatedItems"},
	"G4":  {"internal/suite/api/pagination_test.go", "TestFlowsInstancesAll_RandomListChanges"},
	"G5":  {"internal/suite/api/flows_test.go", "TestFlowsInstancesListOptions_OrderingIsTotal"},
	"G6":  {"internal/suite/api/pagination_test.go", "TestFlowsInstancesAll_RejectsPageOutOfOrder"},
	"G7":  {"internal/suite/api/pagination_test.go", "TestFlowsInstancesAll_RejectsPageOutOfOrder"},
	"G8":  {"internal/suite/api/pagination_test.go", "TestFlowsInstancesAll_StopsAtPageWithoutNewItems"},
	"G9":  {"internal/suite/api/pagination_test.go", "TestFlowsInstancesAll_RejectsPageOutOfOrder"},
	"G10": {"internal/suite/api/pagination_test.go", "TestFlowsInstancesAll_PageSize"},
	"G11": {"internal/suite/api/flows_test.go", "TestFlowsInstancesListOptions_RejectsInvalid"},
	"G12": {"internal/suite/api/pagination_test.go", "TestFlowsInstancesAll_StopsAtPageWithoutNewItems"},
	"G13": {"internal/suite/api/pagination_test.go", "TestFlowsInstancesAll_YieldsErrorOnce"},
	"G14": {"internal/suite/api/pagination_test.go", "TestFlowsInstancesAll_BreakLeavesNothingRunning"},
	"G15": {"internal/suite/api/pagination_test.go", "TestFlowsInstancesList_RejectsContradictingPagination"},
	"G16": {"internal/suite/api/pagination_test.go", "TestFlowsInstancesAll_RestartsAtEachRange"},
	"S3":  {"internal/suite/api/baseurl_test.go", "TestNewClient_RejectsBaseURL"},
	"S4":  {"internal/suite/api/baseurl_test.go", "TestNewClient_RejectsBaseURL"},
	"S5":  {"internal/suite/api/baseurl_test.go", "TestNewClient_RejectsBaseURL"},
	"S6":  {"internal/suite/api/baseurl_test.go", "TestNewClient_RejectsBaseURL"},
	"S7":  {"internal/suite/api/client_test.go", "TestNewClient_RejectsToken"},
	"S8":  {"internal/suite/api/raw_test.go", "TestClientGet_Path"},
	"S10": {"internal/suite/api/flows_test.go", "TestFlowsInstancesListOptions_SendsValuesUnchanged"},
}

func TestFault(t *testing.T) { //nolint:paralleltest // its subtests are, but for those that count allocations
	tests := rowTests(t)
	for _, fault := range matrix { //nolint:paralleltest // as above
		if test := tests[fault.row]; test != nil {
			t.Run(fault.row+"_"+fault.slug, test)
		}
	}
}

func TestMatrix_IsComplete(t *testing.T) {
	t.Parallel()
	tests := rowTests(t)
	require.Len(t, matrix, 147)
	rows := map[string]bool{}
	for _, fault := range matrix {
		require.False(t, rows[fault.row], "%s is there twice", fault.row)
		rows[fault.row] = true
		require.NotEmpty(t, fault.outcome)
		if tests[fault.row] == nil {
			require.Contains(t, provenElsewhere, fault.row, "it has no test")
		}
	}
	for row := range tests {
		require.True(t, rows[row], "%s is no row", row)
	}
	for _, r := range readers {
		for _, answer := range r.unusable() {
			require.Contains(t, tests, answer.row, answer.name)
		}
	}
	for _, flaw := range flaws() {
		require.Contains(t, tests, flaw.row, flaw.name)
	}
	for row, proof := range provenElsewhere {
		require.True(t, rows[row], "%s is no row", row)
		assert.Contains(t, testsIn(t, proof.file), proof.test, "%s is proven by it", row)
	}
}

// rowTests returns the tests of this package by row.
func rowTests(t *testing.T) map[string]func(*testing.T) {
	t.Helper()
	tests := map[string]func(*testing.T){}
	for _, faults := range []map[string]func(*testing.T){
		transportFaults, httpFaults, payloadFaults, securityFaults, concurrencyFaults, restartFaults, pacingFaults,
		writeFaults, frontFaults,
	} {
		for row, test := range faults {
			require.NotContains(t, tests, row)
			tests[row] = test
		}
	}
	return tests
}

// testsIn returns the names of the tests in a file of this module.
func testsIn(t *testing.T, file string) (names []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), testkit.ModuleFile(t, file), nil,
		parser.SkipObjectResolution)
	require.NoError(t, err)
	for _, declaration := range parsed.Decls {
		if f, ok := declaration.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
			names = append(names, f.Name.Name)
		}
	}
	return names
}
