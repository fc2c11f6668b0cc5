package main

import (
	"math"
	"runtime"
	"slices"
	"time"
)

// runner is one of those that a case compares. run makes one short turn, and
// returns its time, or whatever else is compared.
type runner struct {
	name string
	run  func() (float64, error)
}

// figures are a runner's, one a turn.
type figures struct {
	name  string
	turns []float64
}

// alternate lets the runners take turns, so that whatever else the machine
// does hits all alike. Nobody is always the first: each turn starts one
// further on.
func alternate(turns int, runners ...runner) ([]figures, error) {
	all := make([]figures, len(runners))
	for turn := range turns {
		for i := range runners {
			k := (turn + i) % len(runners)
			runtime.GC() // nobody pays for another's garbage
			figure, err := runners[k].run()
			if err != nil {
				return nil, &runError{runners[k].name, err}
			}
			all[k].name = runners[k].name
			all[k].turns = append(all[k].turns, figure)
		}
	}
	return all, nil
}

type runError struct {
	name string
	err  error
}

func (e *runError) Error() string { return e.name + ": " + e.err.Error() }
func (e *runError) Unwrap() error { return e.err }

// mean repeats do for about that long; a turn's figure is the time of one.
func mean(long time.Duration, do func() error) func() (float64, error) {
	return func() (float64, error) {
		n := 0
		began := time.Now()
		for time.Since(began) < long {
			// More than one a look at the clock, which costs as much as a
			// small page.
			for range 1 + n/8 {
				if err := do(); err != nil {
					return 0, err
				}
				n++
			}
		}
		return time.Since(began).Seconds() / float64(n), nil
	}
}

// p50 does it n times; a turn's figure is the time that half of them take.
func p50(n int, do func() error) func() (float64, error) {
	return func() (float64, error) {
		times := make([]float64, n)
		for i := range times {
			began := time.Now()
			if err := do(); err != nil {
				return 0, err
			}
			times[i] = time.Since(began).Seconds()
		}
		return median(times), nil
	}
}

// once does it once; a turn's figure is its time.
func once(do func() error) func() (float64, error) { return p50(1, do) }

func median(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	n := len(s)
	if n == 0 {
		return math.NaN()
	}
	return (s[(n-1)/2] + s[n/2]) / 2
}

// ratios are f's to base's, turn by turn: what slows a whole turn down does
// not show in them.
func (f figures) ratios(base figures) []float64 {
	r := make([]float64, len(f.turns))
	for i := range r {
		r[i] = f.turns[i] / base.turns[i]
	}
	return r
}

// named is the one of that name.
func named(all []figures, name string) figures {
	for _, f := range all {
		if f.name == name {
			return f
		}
	}
	return figures{name: name}
}
