package cli

import (
	"fmt"
	"io"
	"os"
)

// Progress is one line on a terminal that is written over, or nothing.
type Progress struct {
	w     io.Writer // nil for nothing
	shown bool
}

// Progress is shown on stderr if that is a terminal. Rows that are printed as
// they are read are progress enough, if they go to a terminal.
func (e Env) Progress(printsAsRead bool) *Progress {
	if terminal(e.Stderr) && (!printsAsRead || !terminal(e.Stdout)) {
		return &Progress{w: e.Stderr}
	}
	return &Progress{}
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// eraseLine is ANSI's: to the first column, and erase what is there.
const eraseLine = "\r\x1b[K"

// Show writes over what was shown before.
func (p *Progress) Show(format string, args ...any) {
	if p.w != nil {
		p.shown = true
		_, _ = fmt.Fprintf(p.w, eraseLine+format, args...)
	}
}

// Clear erases it.
func (p *Progress) Clear() {
	if p.shown {
		p.shown = false
		_, _ = io.WriteString(p.w, eraseLine)
	}
}
