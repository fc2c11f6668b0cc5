package cli

import "io"

// ProgressOn is shown on any writer.
func ProgressOn(w io.Writer) *Progress { return &Progress{w: w} }

// Shown reports whether it is shown anywhere.
func (p *Progress) Shown() bool { return p.w != nil }
