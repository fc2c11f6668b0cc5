package authentiktest_test

import (
	"crypto/sha256"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/internal/testkit"
	"github.com/seed-299d42e7/authentik-go/internal/testkit/recording"
)

// seedEntry is an entry of an export.
type seedEntry struct {
	Model       string          `json:"model"`
	Identifiers identifiers     `json:"identifiers"`
	Attrs       json.RawMessage `json:"attrs"`
}

type identifiers struct {
	PK     string `json:"pk"`
	Policy string `json:"policy,omitempty"`
	Target string `json:"target,omitempty"`
	Name   string `json:"name,omitempty"`
	Slug   string `json:"slug,omitempty"`
	Order  *int   `json:"order,omitempty"`
}

// installed is what a fresh install has.
type installed struct {
	flows    []authentik.Flow
	stages   []authentik.Stage
	bindings []authentik.FlowStageBinding
}

func (in installed) flow(slug string) authentik.Flow {
	i := slices.IndexFunc(in.flows, func(f authentik.Flow) bool { return f.Slug == slug })
	if i < 0 {
		return authentik.Flow{}
	}
	return in.flows[i]
}

// bindingsOf returns the bindings of a flow in their order.
func (in installed) bindingsOf(flow uuid.UUID) (all []authentik.FlowStageBinding) {
	for _, b := range in.bindings {
		if b.Target == flow {
			all = append(all, b)
		}
	}
	slices.SortStableFunc(all, func(a, b authentik.FlowStageBinding) int { return a.Order - b.Order })
	return all
}

// seedEntries returns what recorded exports and diagrams tell of a fresh
// install beside its flows, stages and bindings.
func seedEntries(t *testing.T, version string, all []recording.Exchange) (lines []string) {
	t.Helper()
	var in installed
	for id, into := range map[string]any{"list_ordering_compatibility_mode": &in.flows, "stages_all_list": &in.stages, "bindings_list": &in.bindings} {
		var list struct {
			Results json.RawMessage `json:"results"`
		}
		require.NoError(t, json.Unmarshal(exchange(all, id).Response.Body(), &list))
		require.NoError(t, json.Unmarshal(list.Results, into))
	}
	entries := exported(t, exchange(all, "export_default-source-enrollment"))
	for _, sequence := range testkit.Sequences(t)[version] {
		if e := exchange(sequence.Exchanges, "w_export_auth_flow"); e.ID != "" {
			entries = append(entries, in.translated(t, exported(t, e))...)
		}
	}
	for _, slug := range []string{"initial-setup", "default-authentication-flow", "default-source-enrollment"} {
		entries = append(entries, in.drawn(t, slug, exchange(all, "diagram_"+slug), entries)...)
	}
	for _, e := range entries {
		if e.Model == "authentik_flows.flow" || e.Model == "authentik_flows.flowstagebinding" {
			continue
		}
		line, err := json.Marshal(e)
		require.NoError(t, err)
		lines = append(lines, string(line))
	}
	return lines
}

// exported returns the entries of an export, each policy once.
func exported(t *testing.T, e recording.Exchange) (entries []seedEntry) {
	t.Helper()
	document, err := authentiktest.ParseYAML(e.Response.Body())
	require.NoError(t, err, "%s", e.ID)
	var blueprint struct {
		Entries []seedEntry `json:"entries"`
	}
	require.NoError(t, json.Unmarshal(document, &blueprint))
	for _, e := range blueprint.Entries {
		if !slices.ContainsFunc(entries, func(other seedEntry) bool { return other.Identifiers.PK == e.Identifiers.PK }) {
			entries = append(entries, e)
		}
	}
	return entries
}

// translated gives entries of another install of the same release the
// identifiers of this one.
func (in installed) translated(t *testing.T, entries []seedEntry) (translated []seedEntry) {
	t.Helper()
	here := map[string]string{}
	var flow authentik.Flow
	for _, e := range entries {
		switch id := e.Identifiers; {
		case id.Slug != "":
			flow = in.flow(id.Slug)
			here[id.PK] = flow.PK.String()
		case id.Name != "":
			i := slices.IndexFunc(in.stages, func(s authentik.Stage) bool { return s.Name == id.Name })
			here[id.PK] = in.stages[i].PK.String()
		case e.Model == "authentik_flows.flowstagebinding":
			bindings := in.bindingsOf(flow.PK)
			i := slices.IndexFunc(bindings, func(b authentik.FlowStageBinding) bool { return b.Order == *id.Order })
			here[id.PK] = bindings[i].PK.String()
		}
		var attrs struct {
			Configure string `json:"configure_flow"`
		}
		require.NoError(t, json.Unmarshal(e.Attrs, &attrs))
		if attrs.Configure != "" {
			here[attrs.Configure] = in.flow("default-password-change").PK.String()
		}
	}
	for _, e := range entries {
		text, err := json.Marshal(e)
		require.NoError(t, err)
		for from, to := range here {
			text = []byte(strings.ReplaceAll(string(text), from, to))
		}
		e = seedEntry{}
		require.NoError(t, json.Unmarshal(text, &e))
		translated = append(translated, e)
	}
	return translated
}

var (
	// drawnPolicy matches a policy of a chart: whose it is, which one, and its name.
	drawnPolicy = regexp.MustCompile(`(flow|stage_\d+)_policy_(\d+)(?:\{\{"Policy \(Expression Policy\)|=>condition: Policy)\n([^\n"]+)`)
	drawnOrder  = regexp.MustCompile(`--Binding (\d+)--> flow_policy_(\d+)\{`)
)

// drawn returns the policies that a diagram shows and no export has. Their
// expressions are not recorded, and neither are the orders of those of stages.
func (in installed) drawn(t *testing.T, slug string, e recording.Exchange, known []seedEntry) (entries []seedEntry) {
	t.Helper()
	var chart struct {
		Diagram string `json:"diagram"`
	}
	require.NoError(t, json.Unmarshal(e.Response.Body(), &chart))
	flow := in.flow(slug)
	orders := map[string]int{}
	for _, m := range drawnOrder.FindAllStringSubmatch(chart.Diagram, -1) {
		orders[m[2]], _ = strconv.Atoi(m[1])
	}
	for _, m := range drawnPolicy.FindAllStringSubmatch(chart.Diagram, -1) {
		whose, number, name := m[1], m[2], m[3]
		named := func(e seedEntry) bool { return strings.Contains(string(e.Attrs), strconv.Quote(name)) }
		if slices.ContainsFunc(known, named) {
			continue
		}
		policy, target, order := seedID(slug, name), flow.PK, orders[number]
		if whose == "flow" {
			n, _ := strconv.Atoi(number)
			policy = flow.Policies[n].String()
		} else {
			n, err := strconv.Atoi(strings.TrimPrefix(whose, "stage_"))
			require.NoError(t, err)
			target, order = in.bindingsOf(flow.PK)[n].PK, 0
		}
		result := "True"
		if name == "default-oobe-password-usable" { // its flow does not apply any more, as execute shows
			result = "False"
		}
		attrs, err := json.Marshal(map[string]string{"name": name, "expression": "# not recorded\nreturn " + result})
		require.NoError(t, err)
		entries = append(entries,
			seedEntry{"authentik_policies_expression.expressionpolicy", identifiers{PK: policy}, attrs},
			seedEntry{"authentik_policies.policybinding", identifiers{
				PK: seedID(slug, whose, name), Policy: policy, Target: target.String(), Order: &order,
			}, json.RawMessage(`{"enabled":true,"timeout":30}`)},
		)
	}
	return entries
}

func seedID(of ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(of, ":")))
	id := uuid.UUID(sum[:16])
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return id.String()
}
