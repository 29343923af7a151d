package tokenizer

import (
	"math"
	"math/bits"
	"slices"
)

// none is the result of a pair that does not merge: a rank after all others.
const none = math.MaxInt32

// maxShort is the longest pre-token that is merged by looking through all its
// pairs for each merge, which is the fastest way while they fit a few cache
// lines.
const maxShort = 48

// pairTable maps a pair of ids to the rank of its merge, which may be the id that
// it merges to: an open-addressing table of left, right and rank, idBits each.
type pairTable struct {
	slots []uint64
	shift int
}

const (
	idBits   = 20 // maxVocab
	noPair   = ^uint64(0)
	idMask   = 1<<idBits - 1
	pairSalt = 0x9e3779b97f4a7c15
)

// newPairTable makes a table of the ranks of merges, which are their indices
// plus base.
func newPairTable(merges [][2]int32, base int) pairTable {
	size := bits.Len(uint(2*len(merges) + 1)) // at most half full
	t := pairTable{slots: make([]uint64, 1<<size), shift: 64 - size}
	for i := range t.slots {
		t.slots[i] = noPair
	}
	for i, m := range merges {
		if t.get(m[0], m[1]) != none {
			continue // the first counts
		}
		key := uint64(m[0])<<idBits | uint64(m[1])
		h := key * pairSalt >> t.shift
		for t.slots[h] != noPair {
			h = (h + 1) & uint64(len(t.slots)-1)
		}
		t.slots[h] = key<<idBits | uint64(base+i)
	}
	return t
}

// get returns the rank of a pair, or none.
func (t *pairTable) get(left, right int32) int32 {
	key := uint64(left)<<idBits | uint64(right)
	for h := key * pairSalt >> t.shift; ; h++ {
		s := t.slots[h&uint64(len(t.slots)-1)]
		if s>>idBits == key {
			return int32(s & idMask)
		}
		if s == noPair {
			return none
		}
	}
}

// mergeShort merges up to maxShort ids in place and returns how many are left.
// made gives the id that a merge of a rank makes; nil if that is the rank.
func (t *pairTable) mergeShort(ids, made []int32) int {
	var to [maxShort]int32 // rank of ids[i] and ids[i+1]
	n := len(ids)
	for i := 0; i+1 < n; i++ {
		to[i] = t.get(ids[i], ids[i+1])
	}
	for {
		at, best := 0, int32(none)
		for i, id := range to[:max(n-1, 0)] {
			if id < best {
				at, best = i, id
			}
		}
		if best == none {
			return n
		}
		if made != nil {
			best = made[best]
		}
		ids[at] = best
		for i := at + 1; i+1 < n; i++ {
			ids[i], to[i] = ids[i+1], to[i+1]
		}
		n--
		if at > 0 {
			to[at-1] = t.get(ids[at-1], best)
		}
		if at+1 < n {
			to[at] = t.get(best, ids[at+1])
		}
	}
}

// line merges a long pre-token in time linear in its length. Pairs wait in a
// queue for each rank and ranks are served in order: a merge only makes pairs
// of higher ranks, because a merge's parts are pieces before its own. All pairs
// of a rank are queued by the merges of one rank, from left to right, so that
// each queue is in order of position, which matters where a pair overlaps
// itself.
type line struct {
	prev, next  []int32 // [ids]: the neighbours that are left
	first, last []int32 // [merges]: the queues, of indices into at and link
	at, link    []int32 // [queued]: a pair's position; the one queued after it
	full        []uint64
}

func newLine(merges int) *line {
	return &line{
		first: make([]int32, merges),
		last:  make([]int32, merges),
		full:  make([]uint64, (merges+63)/64), // a bit for each queue that is not empty
	}
}

func (l *line) push(id int32, base, at int) {
	if id == none {
		return
	}
	r, e := int(id)-base, int32(len(l.at))
	l.at, l.link = append(l.at, int32(at)), append(l.link, -1)
	if bit := uint64(1) << (r % 64); l.full[r/64]&bit == 0 {
		l.full[r/64] |= bit
		l.first[r] = e
	} else {
		l.link[l.last[r]] = e
	}
	l.last[r] = e
}

// merge merges ids in place and returns how many are left. Merged ids leave a
// -1 behind until the end.
func (l *line) merge(ids []int32, pairs *pairTable, v *Vocab) int {
	n, base := len(ids), v.Special+256
	l.prev, l.next = slices.Grow(l.prev[:0], n)[:n], slices.Grow(l.next[:0], n)[:n]
	l.at, l.link = l.at[:0], l.link[:0]
	for i := range n {
		l.prev[i], l.next[i] = int32(i-1), int32(i+1)
		if i > 0 {
			l.push(pairs.get(ids[i-1], ids[i]), base, i-1)
		}
	}
	for w := range l.full {
		for l.full[w] != 0 {
			r := w*64 + bits.TrailingZeros64(l.full[w])
			l.serve(r, ids, pairs, v)
			l.full[w] &^= 1 << (r % 64)
		}
	}
	k := 0
	for i := 0; i < n; i = int(l.next[i]) {
		ids[k] = ids[i]
		k++
	}
	return k
}

// serve merges the pairs of rank r.
func (l *line) serve(r int, ids []int32, pairs *pairTable, v *Vocab) {
	base := v.Special + 256
	m := v.Merges[r]
	for e := l.first[r]; e >= 0; e = l.link[e] {
		i := int(l.at[e])
		j := int(l.next[i])
		// The pair may have lost a half to another since it was queued.
		if ids[i] != m[0] || j >= len(ids) || ids[j] != m[1] {
			continue
		}
		ids[i], ids[j] = int32(base+r), -1
		k := int(l.next[j])
		l.next[i] = int32(k)
		if h := int(l.prev[i]); h >= 0 {
			l.push(pairs.get(ids[h], ids[i]), base, h)
		}
		if k < len(ids) {
			l.prev[k] = int32(i)
			l.push(pairs.get(ids[i], ids[k]), base, i)
		}
	}
}
