package main

import (
	"fmt"
	"strings"
	"time"
)

// reasons say why a target is missed: what the profile shows. The first one
// whose part the target has counts.
var reasons = []struct{ part, text string }{
	{"walk as met, " + ours + ", 2026.8: ", asMetLimit(full.met, 0)},
	{"walk as met, " + withPrefetch(2) + ", 2026.8: ", asMetLimit(full.met, 2)},
	{"whole install, " + ours + ", 2026.8: ", wholeLimit(full.install)},
	{"P50 of net/http + encoding/json", "A tenth more a request is some 20 µs, on a loopback that responds within a fifth of a millisecond. A page takes a real server 46 ms and more. " +
		"What is left is the context and the deadline of each attempt, the checks of arguments and responses, and strict decoding. " +
		"No single function stands out, and runs differ by a few hundredths, so that another row may be missed in another run."},
	{"login of two stages: P50", "The requests are those of the loop. In a CPU profile, what is outside of net/http's transport and the scheduler is spread over " +
		"decoding the challenges, the deadline of each attempt, a client with retries for each session, cookies, and the redaction of what was sent."},
	{"walk of 10,000 flows at 20ms, WithPrefetch(8)", "8 pages arrive at once and are decoded on two cores, which they share with the server. " +
		"Decoding 10,000 flows takes some 45 ms, as the table below shows, where the ideal has 280 ms and no time for it. At 50ms the target is met."},
}

const noReason = "Not explained yet."

func why(target string) string {
	for _, r := range reasons {
		if strings.Contains(target, r.part) {
			return r.text
		}
	}
	return noReason
}

// pagesOf is the number of pages of a list.
func pagesOf(rows, size int) int { return (rows + size - 1) / size }

// asMetLimit is how much faster a walk can be against a server of 2026.8.
func asMetLimit(flows, prefetch int) string {
	p := paces[stock2026]
	theirs := float64(pagesOf(flows, p.size)) * p.answer(p.size).Seconds()
	limit := theirs / ideal(pagesOf(flows, p.most), prefetch, p.answer(p.most))
	atATime := ""
	if prefetch > 1 {
		atATime = fmt.Sprintf(", %d at a time,", prefetch)
	}
	return fmt.Sprintf("Nearly all of the time is the server's. %d pages of %d flows%s in the place of %d pages of %d are %.2f times as fast, and no client can do better.",
		pagesOf(flows, p.most), p.most, atATime, pagesOf(flows, p.size), p.size, limit)
}

// wholeLimit is how much faster the reading of a whole install can be, one
// request after the other.
func wholeLimit(flows int) string {
	p := paces[stock2026]
	theirs := time.Duration(pagesOf(flows, p.size))*p.answer(p.size) + time.Duration(flows)*p.answer(bindingsOfAFlow)
	requests := pagesOf(flows, p.most) + pagesOf(bindingsOfAFlow*flows, p.most)
	return fmt.Sprintf("Nearly all of the time is the server's. %d pages in the place of %d requests are %.1f times as fast; `WithPrefetch(2)` makes use of both workers of the server.",
		requests, pagesOf(flows, p.size)+flows, theirs.Seconds()/(time.Duration(requests)*p.answer(p.most)).Seconds())
}
