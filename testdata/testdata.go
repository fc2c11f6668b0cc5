// Package testdata lets the examples embed what lies beside it.
package testdata

import "embed"

// Recordings has the exchanges with one server, in recordings/.
//
//go:embed recordings/2024.10.0.jsonl
var Recordings embed.FS
