package cli_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-299d42e7/authentik-go"
	"github.com/seed-299d42e7/authentik-go/authentiktest"
	"github.com/seed-299d42e7/authentik-go/examples/internal/cli"
)

func TestExitTellsAnErrorAndWhatToDo(t *testing.T) {
	t.Parallel()
	api := func(status int) *authentik.APIError { return &authentik.APIError{Op: "Op", StatusCode: status} }
	logged := api(500)
	logged.RequestID = "4adc6e50"
	starting := api(503)
	starting.Detail = "authentik starting"
	invalid := &authentik.ValidationError{APIError: api(400), Fields: map[string][]string{"b": nil, "a": nil}}
	hinted := &authentik.RequestError{Op: "Op", Err: &cli.HintedError{Err: os.ErrNotExist, Hint: "Make it."}}
	for name, c := range map[string]struct {
		err  error
		code int
		hint string // "" for none
	}{
		"help":           {fmt.Errorf("x: %w", flag.ErrHelp), cli.OK, ""},
		"usage":          {fmt.Errorf("x: %w", cli.ErrUsage), cli.Refused, ""},
		"an argument":    {fmt.Errorf("x: %w", &authentik.ArgumentError{Op: "Op"}), cli.Refused, ""},
		"a field":        {invalid, cli.Failed, "Change the value of a, b."},
		"no field":       {&authentik.ValidationError{APIError: api(400)}, cli.Failed, ""},
		"no such thing":  {api(404), cli.Failed, "There is no such object"},
		"a changed list": {fmt.Errorf("x: %w: %w", authentik.ErrListChanged, api(404)), cli.Failed, "Run it again."},
		"rate limit":     {api(429), cli.Failed, "A proxy"},
		"starting":       {starting, cli.Failed, "Try again in a minute."},
		"server error":   {logged, cli.Failed, "request_id 4adc6e50"},
		"a proxy's":      {api(502), cli.Failed, ""},
		"no answer":      {&authentik.RequestError{Op: "Op", Err: os.ErrDeadlineExceeded}, cli.Failed, "Is the server up"},
		"no list":        {&authentik.DecodeError{Op: "Op"}, cli.Failed, "Is AUTHENTIK_URL the root"},
		"a long list":    {&authentik.DecodeError{Op: "Op", Err: authentik.ErrResponseTooLarge}, cli.Failed, "smaller pages"},
		"its own hint":   {hinted, cli.Failed, "Make it."},
		"a file":         {&authentik.DecodeError{}, cli.Failed, ""},
		"another":        {errors.New("disk full"), cli.Failed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stderr bytes.Buffer
			env := cli.Env{Stderr: &stderr}
			assert.Equal(t, c.code, env.Exit(t.Context(), nil, c.err))
			switch {
			case c.code == cli.OK:
				assert.Empty(t, stderr.String())
			case c.hint == "":
				assert.Equal(t, c.err.Error()+"\n", stderr.String())
			default:
				said, hint, _ := bytes.Cut(stderr.Bytes(), []byte("\n"))
				assert.Equal(t, c.err.Error(), string(said))
				assert.Contains(t, string(hint), c.hint)
			}
		})
	}
}

func TestAnInterruptionIsNoError(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	var stderr bytes.Buffer
	env := cli.Env{Stderr: &stderr}
	assert.Equal(t, cli.Interrupted, env.Exit(ctx, nil, &authentik.RequestError{Err: ctx.Err()}))
	assert.Equal(t, "interrupted\n", stderr.String())
	assert.Equal(t, cli.OK, env.Exit(ctx, nil, nil), "it had ended before")
}

func TestConnectWantsBothVariablesOrNone(t *testing.T) {
	t.Parallel()
	for _, vars := range []map[string]string{
		{"AUTHENTIK_URL": "https://sso.example.com"},
		{"AUTHENTIK_TOKEN": "token"},
		{"AUTHENTIK_URL": "http://sso.example.com", "AUTHENTIK_TOKEN": "token"},
	} {
		var stderr bytes.Buffer
		env := cli.Env{Getenv: func(key string) string { return vars[key] }, Stderr: &stderr}
		server, err := env.Connect()
		var refused *authentik.ArgumentError
		require.ErrorAs(t, err, &refused)
		assert.Nil(t, server)
		hinted, ok := errors.AsType[*cli.HintedError](err)
		require.True(t, ok)
		assert.Contains(t, hinted.Hint, "Set AUTHENTIK_URL to your server's root")
		assert.Contains(t, hinted.Hint, "AUTHENTIK_TOKEN to one of its API tokens")
		assert.Empty(t, stderr.String(), "no word of the demo")
	}
}

// The hint names the variables of the server that failed, and the permission
// of the operation.
func TestHintsNameWhatFailed(t *testing.T) {
	t.Parallel()
	srv := authentiktest.NewServer(t)
	vars := map[string]string{"TARGET_URL": srv.URL, "TARGET_TOKEN": srv.Token}
	var stderr bytes.Buffer
	env := cli.Env{Getenv: func(key string) string { return vars[key] }, Stderr: &stderr}
	server, err := env.Real("TARGET_URL", "TARGET_TOKEN")
	require.NoError(t, err)
	t.Cleanup(server.Close)
	forbidden := func(op string) error {
		return &authentik.PermissionError{APIError: &authentik.APIError{Op: op, StatusCode: 403}}
	}
	for hint, err := range map[string]error{
		"Is the server up, and is TARGET_URL its address?": &authentik.RequestError{Op: "Op", Err: os.ErrDeadlineExceeded},
		"Is TARGET_URL the root of an authentik":           &authentik.DecodeError{Op: "Op"},
		`"Can view Flow".`:                                 forbidden("FlowsInstancesAll"),
		`"Can add Flow".`:                                  forbidden("FlowsInstancesImportCreate"),
		`"Can export Flow".`:                               forbidden("FlowsInstancesExportRetrieve"),
		`"Can change Flow Stage Binding".`:                 forbidden("BindingsPartialUpdate"),
		`"Can delete Flow Stage Binding".`:                 forbidden("BindingsDestroy"),
		`"Can view Stage".`:                                forbidden("StagesAllAll"),
	} {
		stderr.Reset()
		assert.Equal(t, cli.Failed, env.Exit(t.Context(), server, err))
		assert.Contains(t, stderr.String(), hint)
	}
}

func TestFlagsAfterOtherArgumentsAreExplained(t *testing.T) {
	t.Parallel()
	env := cli.Env{Args: []string{"file", "-plan"}}
	err := env.Parse(flag.NewFlagSet("program", flag.ContinueOnError), "", "[FILE]")
	require.ErrorIs(t, err, cli.ErrUsage)
	assert.EqualError(t, err, "wrong arguments: -plan: flags come before other arguments")
}

func TestHelpListsTheFlags(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	env := cli.Env{Args: []string{"-h"}, Stderr: &stderr}
	flags := flag.NewFlagSet("program", flag.ContinueOnError)
	flags.Bool("quick", false, "do it quickly")
	err := env.Parse(flags, "Does a thing.", "[UUID]")
	require.ErrorIs(t, err, flag.ErrHelp)
	assert.Equal(t, "usage: program [flags] [UUID]\nDoes a thing.\n  -quick\n    \tdo it quickly\n", stderr.String())
}

// The null device is a character device, as a terminal is, and a file is not.
func TestProgressIsForTerminals(t *testing.T) {
	t.Parallel()
	device, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	require.NoError(t, err)
	defer device.Close() //nolint:errcheck // nothing is in it
	file, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	require.NoError(t, err)
	defer file.Close() //nolint:errcheck // it was empty, or the test has failed

	env := cli.Env{Stdout: &bytes.Buffer{}, Stderr: device}
	assert.True(t, env.Progress(false).Shown())
	assert.True(t, env.Progress(true).Shown(), "rows go elsewhere")
	env.Stdout = device
	assert.True(t, env.Progress(false).Shown())
	assert.False(t, env.Progress(true).Shown(), "rows go to the terminal")
	env.Stderr = file
	assert.False(t, env.Progress(false).Shown())
	env.Progress(false).Show("%d", 1)
	info, err := file.Stat()
	require.NoError(t, err)
	assert.Zero(t, info.Size())
}

func TestProgressWritesOverItselfAndIsCleared(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	p := cli.ProgressOn(&stderr)
	p.Clear()
	assert.Empty(t, stderr.String(), "nothing has been shown")
	p.Show("%d of %d", 1, 2)
	p.Show("%d of %d", 2, 2)
	p.Clear()
	p.Clear()
	assert.Equal(t, "\r\x1b[K1 of 2\r\x1b[K2 of 2\r\x1b[K", stderr.String())
}
