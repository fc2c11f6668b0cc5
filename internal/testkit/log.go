package testkit

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
)

// Log collects log records of every level, each as text and as JSON. The zero
// value is ready to use.
type Log struct {
	mu  sync.Mutex
	log bytes.Buffer
}

// Logger returns a logger that writes to the log.
func (l *Log) Logger() *slog.Logger {
	opts := &slog.HandlerOptions{Level: slog.LevelDebug}
	return slog.New(teeHandler{slog.NewTextHandler(l, opts), slog.NewJSONHandler(l, opts)})
}

// Write implements [io.Writer].
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.Write(p)
}

// String returns the records so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.String()
}

// teeHandler passes each record to two handlers.
type teeHandler [2]slog.Handler

func (h teeHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h teeHandler) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h teeHandler) WithGroup(string) slog.Handler            { return h }

func (h teeHandler) Handle(ctx context.Context, r slog.Record) error {
	if err := h[0].Handle(ctx, r); err != nil {
		return err
	}
	return h[1].Handle(ctx, r)
}
