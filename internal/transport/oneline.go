package transport

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// OneLine makes a server's text fit for one line of a log or an error. It
// escapes what cannot be printed, and truncates after limit bytes.
func OneLine(s string, limit int) string {
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		piece := s[:size]
		if r == utf8.RuneError || !strconv.IsPrint(r) {
			quoted := strconv.Quote(piece)
			piece = quoted[1 : len(quoted)-1]
		}
		if b.Len()+len(piece) > limit {
			return b.String() + "…"
		}
		b.WriteString(piece)
		s = s[size:]
	}
	return b.String()
}
