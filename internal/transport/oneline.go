package transport

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// OneLine makes foreign text fit for a line of a log or an error: what cannot
// be printed is escaped, and what is over limit bytes is cut off.
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
