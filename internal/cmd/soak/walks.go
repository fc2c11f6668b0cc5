package main

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
)

// soak is what the server has, and what came of the walks.
type soak struct {
	server *authentiktest.Server
	known  map[uuid.UUID]authentik.Flow // of the first list, as read without faults

	// Walks hold quiet for reading. With all of it held, the list may change in
	// a way that a walk could not see: see change.
	quiet sync.RWMutex

	mu      sync.Mutex
	states  [][]uuid.UUID // of the list, in order: one more with each change
	changes int

	right, failed, delivered int
	counts                   map[string]int
	problems                 []string
}

// learn reads the list without faults.
func (s *soak) learn() error {
	s.known = map[uuid.UUID]authentik.Flow{}
	for flow, err := range s.server.Client().FlowsInstancesAll(context.Background(), nil) {
		if err != nil {
			return err
		}
		s.known[flow.PK] = flow
	}
	s.record()
	return nil
}

func (s *soak) record() {
	flows := s.server.Flows()
	slices.SortFunc(flows, func(a, b authentik.Flow) int { return strings.Compare(a.Slug, b.Slug) })
	var state []uuid.UUID
	for _, flow := range flows {
		state = append(state, flow.PK)
	}
	s.states = append(s.states, state)
}

// change adds flows for a while, and then deletes them. Between the two no
// walk is under way: one that saw a flow added and another one deleted sees
// the same count, and no client can tell.
func (s *soak) change(ctx context.Context) {
	const most = 8
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-time.After(8 * time.Second):
		}
		turn := n%most == 0
		if turn {
			s.quiet.Lock()
		}
		s.mu.Lock()
		if n/most%2 == 0 {
			s.server.AddFlow(authentik.Flow{Slug: fmt.Sprintf("%c-soak-%d", 'a'+rune(n*7%26), n)})
		} else if i := slices.IndexFunc(s.server.Flows(), func(f authentik.Flow) bool { return strings.Contains(f.Slug, "-soak-") }); i >= 0 {
			s.server.DeleteFlow(s.server.Flows()[i].Slug)
		}
		s.changes++
		s.record()
		if turn { // nobody reads an older state any more
			s.states = s.states[len(s.states)-1:]
		}
		s.mu.Unlock()
		if turn {
			s.quiet.Unlock()
		}
	}
}

// walk makes one walk and judges it.
func (s *soak) walk(client *authentik.Client, prefetch int) {
	s.quiet.RLock()
	defer s.quiet.RUnlock()
	s.mu.Lock()
	from := len(s.states) - 1
	s.mu.Unlock()

	got, err := authentik.Collect(client.FlowsInstancesAll(context.Background(), nil, authentik.WithPrefetch(prefetch)))

	s.mu.Lock()
	defer s.mu.Unlock()
	states := s.states[from:]
	s.delivered += len(got)
	seen := map[uuid.UUID]bool{}
	order := make([]uuid.UUID, 0, len(got))
	for _, flow := range got {
		if seen[flow.PK] {
			s.problem("doubled: %s", flow.Slug)
		}
		seen[flow.PK] = true
		order = append(order, flow.PK)
		if known, ok := s.known[flow.PK]; ok && !reflect.DeepEqual(known, flow) {
			s.problem("wrong: %+v, want %+v", flow, known)
		}
	}
	same := func(state []uuid.UUID) bool { return slices.Equal(state, order) }
	begins := func(state []uuid.UUID) bool {
		return len(order) <= len(state) && slices.Equal(state[:len(order)], order)
	}
	switch {
	case err == nil && slices.ContainsFunc(states, same):
		s.right++
		return
	case err == nil:
		s.problem("lost: %d flows without an error, of %d, in %d states", len(order), len(states[0]), len(states))
	case errors.Is(err, authentik.ErrListChanged):
		if len(states) == 1 {
			s.problem("a change that was none: %v", err)
		}
	case len(states) == 1 && !begins(states[0]):
		s.problem("lost before an error: %v", err)
	}
	s.failed++
	s.counts[kind(err)]++
	if kind(err) == "other" {
		s.problem("an error that nothing caused: %v", err)
	}
}

func (s *soak) problem(format string, args ...any) {
	if len(s.problems) < 20 {
		s.problems = append(s.problems, fmt.Sprintf(format, args...))
	}
}

func kind(err error) string {
	var request *authentik.RequestError
	switch {
	case err == nil:
		return "none"
	case errors.Is(err, authentik.ErrListChanged):
		return "the list changed"
	case errors.Is(err, authentik.ErrRateLimited):
		return "429"
	case errors.Is(err, authentik.ErrStarting):
		return "starting"
	case errors.Is(err, authentik.ErrServer):
		return "5xx"
	case errors.Is(err, authentik.ErrAttemptTimeout):
		return "timeout"
	case errors.As(err, &request):
		return "no answer"
	default:
		return "other"
	}
}
