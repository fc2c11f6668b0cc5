package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/seed-299d42e7/authentik-go/examples/internal/cli"
)

// openTerminal returns the two ends of a terminal: the user's and the program's.
func openTerminal(t *testing.T) (user, terminal *os.File) {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = user.Close() })
	fd := int(user.Fd())
	require.NoError(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	require.NoError(t, err)
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = terminal.Close() })
	return user, terminal
}

func echoes(t *testing.T, terminal *os.File) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
	require.NoError(t, err)
	return state.Lflag&unix.ECHO != 0
}

// waitForPrompt returns once the program has asked, and the terminal shows
// nothing of what is typed.
func waitForPrompt(t *testing.T, stderr io.Reader, terminal *os.File) (prompt string) {
	t.Helper()
	prompt, err := bufio.NewReader(stderr).ReadString(':')
	require.NoError(t, err)
	for echoes(t, terminal) {
		require.NoError(t, t.Context().Err())
	}
	return prompt
}

func TestAPasswordIsReadFromTheTerminalAndNotShown(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	user, terminal := openTerminal(t)
	stderr, asked := io.Pipe()
	vars := map[string]string{"AUTHENTIK_URL": srv.URL, "AUTHENTIK_USERNAME": "alice"}
	var stdout bytes.Buffer
	code := make(chan int)
	go func() {
		code <- run(t.Context(), cli.Env{
			Getenv: func(name string) string { return vars[name] },
			Stdin:  terminal, Stdout: &stdout, Stderr: asked,
		})
		_ = asked.Close()
	}()
	prompt := waitForPrompt(t, stderr, terminal)
	assert.Equal(t, "Password:", prompt)
	_, err := user.WriteString(password + "\n")
	require.NoError(t, err)
	go io.Copy(io.Discard, stderr) //nolint:errcheck // a pipe
	assert.Equal(t, cli.OK, <-code)
	assert.Contains(t, stdout.String(), "logged in as alice")
	assert.True(t, echoes(t, terminal), "the terminal is as it was")

	require.NoError(t, terminal.Close())
	shown, _ := io.ReadAll(user) // it ends with an error once the other end is closed
	assert.NotContains(t, string(shown), password)
}

func TestAPasswordThatIsEmptyIsRefused(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	user, terminal := openTerminal(t)
	stderr, asked := io.Pipe()
	vars := map[string]string{"AUTHENTIK_URL": srv.URL, "AUTHENTIK_USERNAME": "alice"}
	code := make(chan int)
	go func() {
		code <- run(t.Context(), cli.Env{
			Getenv: func(name string) string { return vars[name] },
			Stdin:  terminal, Stdout: io.Discard, Stderr: asked,
		})
	}()
	waitForPrompt(t, stderr, terminal)
	_, err := user.WriteString("\n")
	require.NoError(t, err)
	go io.Copy(io.Discard, stderr) //nolint:errcheck // a pipe
	assert.Equal(t, cli.Refused, <-code)
	assert.Empty(t, srv.Requests())
}

func TestCtrlCAtThePasswordLeavesTheTerminalAsItWas(t *testing.T) {
	t.Parallel()
	user, terminal := openTerminal(t)
	// The bubble ends when the reader does. A reader left behind would restore the
	// mode of the terminal that another test has opened with the same descriptor.
	synctest.Test(t, func(t *testing.T) {
		stderr, asked := io.Pipe()
		ctx, cancel := context.WithCancel(t.Context())
		read := make(chan error)
		go func() {
			_, err := asker(cli.Env{Stdin: terminal, Stderr: asked})("Password")(ctx)
			_ = asked.Close()
			read <- err
		}()
		waitForPrompt(t, stderr, terminal)
		go io.Copy(io.Discard, stderr) //nolint:errcheck // a pipe
		cancel()
		require.ErrorIs(t, <-read, context.Canceled)
		assert.True(t, echoes(t, terminal))
		_, err := user.WriteString("\n")
		require.NoError(t, err)
	})
}
