package authentiktest

import "strings"

// row is a row of a query: an object, and the values that the rows are ordered
// by, in a form that compares as bytes.
type row[T any] struct {
	of   *T
	keys []string
}

// page returns limit rows from offset on, in the order of PostgreSQL. The
// order of rows that compare equal depends on PostgreSQL's algorithms, and so
// differs from page to page unless the order is a total one. rows are in the
// order in which they were stored. The algorithms are those of tuplesort.c and
// sort_template.h.
func page[T any](rows []row[T], descending []bool, offset, limit int) []row[T] {
	s := sorter[T]{rows, descending}
	if bound := offset + limit; len(rows) > 2*bound {
		s.rows = s.smallest(bound)
	} else {
		s.sort(0, len(rows))
	}
	return s.rows[min(offset, len(s.rows)):min(offset+limit, len(s.rows))]
}

type sorter[T any] struct {
	rows       []row[T]
	descending []bool
}

func (s sorter[T]) compare(a, b row[T]) int {
	for i, descending := range s.descending {
		if c := strings.Compare(a.keys[i], b.keys[i]); c != 0 {
			if descending {
				return -c
			}
			return c
		}
	}
	return 0
}

func (s sorter[T]) cmp(i, j int) int { return s.compare(s.rows[i], s.rows[j]) }
func (s sorter[T]) swap(i, j int)    { s.rows[i], s.rows[j] = s.rows[j], s.rows[i] }

// sort is Bentley and McIlroy's quicksort in PostgreSQL's version.
func (s sorter[T]) sort(a, n int) {
	for n > 1 {
		if n < 7 {
			for m := a + 1; m < a+n; m++ {
				for l := m; l > a && s.cmp(l-1, l) > 0; l-- {
					s.swap(l, l-1)
				}
			}
			return
		}
		sorted := true
		for i := a + 1; sorted && i < a+n; i++ {
			sorted = s.cmp(i-1, i) <= 0
		}
		if sorted {
			return
		}
		s.swap(a, s.pivot(a, n))

		// Those equal to the pivot go to both ends, then to the middle.
		equalLow, low, high, equalHigh := a+1, a+1, a+n-1, a+n-1
		for {
			for ; low <= high && s.cmp(low, a) <= 0; low++ {
				if s.cmp(low, a) == 0 {
					s.swap(equalLow, low)
					equalLow++
				}
			}
			for ; low <= high && s.cmp(high, a) >= 0; high-- {
				if s.cmp(high, a) == 0 {
					s.swap(high, equalHigh)
					equalHigh--
				}
			}
			if low > high {
				break
			}
			s.swap(low, high)
			low++
			high--
		}
		end, less, more := a+n, low-equalLow, equalHigh-high
		for i := range min(equalLow-a, less) {
			s.swap(a+i, low-min(equalLow-a, less)+i)
		}
		for i := range min(more, end-equalHigh-1) {
			s.swap(low+i, end-min(more, end-equalHigh-1)+i)
		}
		if less <= more {
			s.sort(a, less)
			a, n = end-more, more
		} else {
			s.sort(end-more, more)
			n = less
		}
	}
}

func (s sorter[T]) pivot(a, n int) int {
	low, middle, high := a, a+n/2, a+n-1
	if n > 40 {
		d := n / 8
		low = s.median(low, low+d, low+2*d)
		middle = s.median(middle-d, middle, middle+d)
		high = s.median(high-2*d, high-d, high)
	}
	if n > 7 {
		middle = s.median(low, middle, high)
	}
	return middle
}

func (s sorter[T]) median(a, b, c int) int {
	if s.cmp(a, b) < 0 {
		switch {
		case s.cmp(b, c) < 0:
			return b
		case s.cmp(a, c) < 0:
			return c
		}
		return a
	}
	switch {
	case s.cmp(b, c) > 0:
		return b
	case s.cmp(a, c) < 0:
		return a
	}
	return c
}

// smallest returns the first n rows by a heap with the largest on top, as
// PostgreSQL does when a page needs less than half of the rows.
func (s sorter[T]) smallest(n int) []row[T] {
	heap := make([]row[T], 0, n)
	sink := func(r row[T], size int) {
		i := 0
		for {
			child := 2*i + 1
			if child >= size {
				break
			}
			if child+1 < size && s.compare(heap[child], heap[child+1]) < 0 {
				child++
			}
			if s.compare(r, heap[child]) >= 0 {
				break
			}
			heap[i] = heap[child]
			i = child
		}
		heap[i] = r
	}
	for _, r := range s.rows {
		switch {
		case len(heap) < n:
			i := len(heap)
			heap = append(heap, r)
			for ; i > 0 && s.compare(r, heap[(i-1)/2]) > 0; i = (i - 1) / 2 {
				heap[i] = heap[(i-1)/2]
			}
			heap[i] = r
		case n > 0 && s.compare(r, heap[0]) < 0:
			sink(r, n)
		}
	}
	for size := len(heap) - 1; size > 0; size-- {
		largest := heap[0]
		sink(heap[size], size)
		heap[size] = largest
	}
	return heap
}
