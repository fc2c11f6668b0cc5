package transport

import (
	"context"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// quietPipe returns a quiet connection and the server's end of it.
func quietPipe(t *testing.T) (conn, theirs net.Conn) {
	t.Helper()
	ours, theirs := net.Pipe()
	conn, err := quietly(func(context.Context, string, string) (net.Conn, error) { return ours, nil })(t.Context(), "", "")
	require.NoError(t, err)
	return conn, theirs
}

func TestQuietConn_ReadsNothingWithoutWaiting(t *testing.T) {
	t.Parallel()
	conn, theirs := quietPipe(t)
	require.NoError(t, theirs.Close())
	n, err := conn.Read(nil)
	require.NoError(t, err, "as an io.Reader")
	assert.Zero(t, n)
	require.NoError(t, conn.Close())
}

func TestQuietConn_WritesNothing(t *testing.T) {
	t.Parallel()
	conn, theirs := quietPipe(t)
	require.NoError(t, theirs.Close())
	_, err := conn.Write(nil)
	require.ErrorIs(t, err, io.ErrClosedPipe, "the connection's own error")
	require.NoError(t, conn.Close())
}

// What is no TLS record is for crypto/tls to refuse.
func TestQuietConn_PassesOnWhatIsNoRecord(t *testing.T) {
	t.Parallel()
	for _, sent := range []string{"\x16", "\x16\x03\x01", "HTTP/1.1 400 Bad Request"} {
		conn, theirs := quietPipe(t)
		go func() {
			_, _ = io.ReadFull(theirs, make([]byte, 2))
			_, _ = io.WriteString(theirs, sent)
			_ = theirs.Close()
		}()
		_, err := conn.Write([]byte{tlsHandshake, 3})
		require.NoError(t, err)
		got, err := io.ReadAll(conn)
		require.NoError(t, err)
		assert.Equal(t, sent, string(got))
		require.NoError(t, conn.Close())
	}
}

func TestQuietConn_ReturnsARecordAtATime(t *testing.T) {
	t.Parallel()
	records := []string{"\x17\x03\x03\x00\x02ab", "\x17\x03\x03\x01\x00" + strings.Repeat("c", 256)}
	conn, theirs := quietPipe(t)
	go func() {
		_, _ = io.ReadFull(theirs, make([]byte, 2))
		_, _ = io.WriteString(theirs, strings.Join(records, ""))
	}()
	_, err := conn.Write([]byte{tlsHandshake, 3})
	require.NoError(t, err)
	buffer := make([]byte, 2*smallRead)
	for _, want := range records {
		n, err := conn.Read(buffer)
		require.NoError(t, err)
		require.Equal(t, want, string(buffer[:n]))
	}
	require.NoError(t, conn.Close())
}

// A small body with a Content-Length is returned by one Read, and the bytes after
// the body stay in the connection.
func TestQuietConn_ReturnsABodyAtOnce(t *testing.T) {
	t.Parallel()
	const next = "HTTP/1.1 200 OK\r\n\r\n"
	body := strings.Repeat("x", 500)
	for name, tc := range map[string]struct {
		header string
		read   int // after the header
	}{
		"a length":                    {"HTTP/1.1 201 Created\r\ncontent-LENGTH: " + strconv.Itoa(len(body)) + "\r\n\r\n", len(body)},
		"no length":                   {"HTTP/1.1 200 OK\r\nX-Other: 500\r\n\r\n", 1},
		"a length that is none":       {"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", 1},
		"chunks, whatever the length": {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 1},
		"chunks first":                {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 1},
		"no body":                     {"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", 1},
		"not modified":                {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 1},
		"no status":                   {"HTTP/1.1\r\nContent-Length: 5\r\n\r\n", 1},
		"to be continued":             {"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, theirs := quietPipe(t)
			go func() { // after a request
				_, _ = io.ReadFull(theirs, make([]byte, 4))
				_, _ = io.WriteString(theirs, tc.header+body+next)
			}()
			_, err := conn.Write([]byte("GET "))
			require.NoError(t, err)
			buffer := make([]byte, smallRead)
			for _, want := range []int{len(tc.header), tc.read} {
				n, err := conn.Read(buffer)
				require.NoError(t, err)
				assert.Equal(t, want, n)
			}
			require.NoError(t, conn.Close())
		})
	}
}
