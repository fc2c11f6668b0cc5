package transport

import (
	"fmt"
	"io"
	"math"
)

// MaxErrorBody bounds what is read of an error's body. This is enough for any
// message, and for reusing the connection after an ordinary HTML page.
const MaxErrorBody = 64 << 10

// readBody reads at most limit bytes, and one more to detect a larger body. With an
// error, readBody also returns what it has read. size is the Content-Length, or -1.
func readBody(r io.Reader, size, limit int64) ([]byte, error) {
	limit = min(limit, math.MaxInt64-1)
	// One more than size, so that the last Read can return io.EOF, and no more
	// than 1 MiB on the server's word alone.
	buf := make([]byte, 0, min(max(size, 511), limit, 1<<20)+1)
	for {
		n, err := r.Read(buf[len(buf):min(int64(cap(buf)), limit+1)])
		buf = buf[:len(buf)+n]
		if int64(len(buf)) > limit {
			return buf[:limit], fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
		}
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return buf, err
		}
		if len(buf) == cap(buf) {
			// Doubling allocates less in all than append, which grows large slices
			// by a quarter. The limit bounds the size.
			buf = append(make([]byte, 0, min(2*int64(cap(buf)), limit+1)), buf...)
		}
	}
}
