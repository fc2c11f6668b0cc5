package main

import (
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The readers of a whole install read all of it, and the requests are counted:
// those of 250 flows and 500 bindings in pages of 100, or page by page and flow
// by flow. This library asks for the release once, because of older ones.
func TestReaders_ReadTheWholeInstall(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(testServer(t))
	t.Cleanup(srv.Close)
	b := &bench{url: srv.URL, plan: plan{install: 250}}
	for version, ours := range map[string]int64{
		versions[0]: 3 + 1 + 1 + 1, // the first page of bindings, the release, and one page that has all
		versions[1]: 3 + 5,         // pages alone
	} {
		readers, err := b.readers(b.at(version, b.install, "0s"))
		require.NoError(t, err)
		var requests []int64
		for _, r := range readers {
			_, err := r.time(t.Context(), b.install)()
			require.NoError(t, err, "%s, %s", r.name, version)
			requests = append(requests, r.requests)
		}
		assert.Equal(t, []int64{ours, ours, 3 + 250, 3 + 5}, requests, version)
		_, err = readers[0].time(t.Context(), b.install+1)()
		require.ErrorIs(t, err, errFlows)
	}
}

func TestDecoders_DecodeAPage(t *testing.T) {
	t.Parallel()
	b := &bench{content: testServer(t)}
	for _, version := range versions {
		for _, name := range contestants[:3] {
			flows, err := decoder(name)(b.page(version, 100))
			require.NoError(t, err, "%s, %s", name, version)
			assert.Equal(t, 100, flows, "%s, %s", name, version)
			_, err = decoder(name)([]byte(`{"results":`))
			require.Error(t, err, "%s, %s", name, version)
		}
	}
}
