package tokenizer

import (
	"container/heap"
	"fmt"
)

// word is a distinct pre-token of the training texts.
type word struct {
	ids   []int32
	count int
}

// candidate is a pair with the count that it had when it was queued.
type candidate struct {
	pair  [2]int32
	count int
}

// candidates is a heap with the most frequent pair on top. Ties go to the
// lower ids, so that training has one result.
type candidates []candidate

func (h candidates) Len() int      { return len(h) }
func (h candidates) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *candidates) Push(x any)   { *h = append(*h, x.(candidate)) }
func (h *candidates) Pop() any {
	n := len(*h) - 1
	x := (*h)[n]
	*h = (*h)[:n]
	return x
}
func (h candidates) Less(i, j int) bool {
	a, b := h[i], h[j]
	switch {
	case a.count != b.count:
		return a.count > b.count
	case a.pair[0] != b.pair[0]:
		return a.pair[0] < b.pair[0]
	}
	return a.pair[1] < b.pair[1]
}

// trainer counts the pairs in words and merges them.
type trainer struct {
	vocab Vocab
	words []word
	count map[[2]int32]int
	where map[[2]int32][]int32 // words that had the pair at some time
	queue candidates
	known map[string]bool
}

// Train returns a vocabulary of up to size pieces, special tokens and bytes
// included, that merges the most frequent pairs of the texts; fewer pieces
// when no pair occurs twice. progress, if not nil, is told the number of
// merges done and wanted.
func Train(texts [][]byte, size int, progress func(done, total int)) (Vocab, error) {
	if size < NumSpecial+256 || size > maxVocab {
		return Vocab{}, fmt.Errorf("tokenizer: a vocabulary of %d pieces, want %d to %d", size, NumSpecial+256, maxVocab)
	}
	t := &trainer{
		vocab: newVocab(SpecialNames()),
		count: map[[2]int32]int{},
		where: map[[2]int32][]int32{},
		known: map[string]bool{},
	}
	t.split(texts)
	total := size - len(t.vocab.Pieces)
	for done := range total {
		if progress != nil && done%64 == 0 {
			progress(done, total)
		}
		pair, ok := t.best()
		if !ok {
			break
		}
		t.merge(pair)
	}
	if progress != nil {
		progress(len(t.vocab.Merges), total)
	}
	return t.vocab, nil
}

// split counts the pre-tokens of the texts and the pairs in them.
func (t *trainer) split(texts [][]byte) {
	index := map[string]int{}
	for _, text := range texts {
		for i := 0; i < len(text); {
			end := pretoken(text, i)
			w, ok := index[string(text[i:end])]
			if !ok {
				w = len(t.words)
				index[string(text[i:end])] = w
				ids := make([]int32, end-i)
				for j, b := range text[i:end] {
					ids[j] = int32(t.vocab.Special) + int32(b)
				}
				t.words = append(t.words, word{ids: ids})
			}
			t.words[w].count++
			i = end
		}
	}
	for w, x := range t.words {
		for i := 1; i < len(x.ids); i++ {
			t.add([2]int32{x.ids[i-1], x.ids[i]}, x.count, int32(w))
		}
	}
	for p, n := range t.count {
		t.queue = append(t.queue, candidate{p, n})
	}
	heap.Init(&t.queue)
}

// add counts n more of a pair, found in word w.
func (t *trainer) add(p [2]int32, n int, w int32) {
	t.count[p] += n
	if l := t.where[p]; len(l) == 0 || l[len(l)-1] != w {
		t.where[p] = append(l, w)
	}
}

// best takes the most frequent pair whose piece is new and not too long.
func (t *trainer) best() (pair [2]int32, ok bool) {
	for len(t.queue) > 0 {
		c := heap.Pop(&t.queue).(candidate)
		// Counts only fall after a pair is queued, so a stale entry is put
		// back at its present place.
		if n := t.count[c.pair]; n != c.count {
			if n > 1 {
				heap.Push(&t.queue, candidate{c.pair, n})
			}
			continue
		}
		if c.count < 2 {
			return pair, false
		}
		piece := join(t.vocab.Pieces[c.pair[0]], t.vocab.Pieces[c.pair[1]])
		if len(piece) > maxPiece || t.known[string(piece)] {
			continue
		}
		return c.pair, true
	}
	return pair, false
}

// merge gives the pair an id and rewrites the words that hold it.
func (t *trainer) merge(pair [2]int32) {
	id := int32(len(t.vocab.Pieces))
	piece := join(t.vocab.Pieces[pair[0]], t.vocab.Pieces[pair[1]])
	t.known[string(piece)] = true
	t.vocab.Pieces = append(t.vocab.Pieces, piece)
	t.vocab.Merges = append(t.vocab.Merges, pair)
	fresh := map[[2]int32]bool{}
	for _, w := range t.where[pair] {
		x := &t.words[w]
		if !contains(x.ids, pair) {
			continue
		}
		for i := 1; i < len(x.ids); i++ {
			t.count[[2]int32{x.ids[i-1], x.ids[i]}] -= x.count
		}
		x.ids = replace(x.ids, pair, id)
		for i := 1; i < len(x.ids); i++ {
			p := [2]int32{x.ids[i-1], x.ids[i]}
			if p[0] == id || p[1] == id {
				t.add(p, x.count, w)
				fresh[p] = true
			} else {
				t.count[p] += x.count
			}
		}
	}
	delete(t.where, pair)
	delete(t.count, pair)
	for p := range fresh {
		heap.Push(&t.queue, candidate{p, t.count[p]})
	}
}

func contains(ids []int32, pair [2]int32) bool {
	for i := 1; i < len(ids); i++ {
		if ids[i-1] == pair[0] && ids[i] == pair[1] {
			return true
		}
	}
	return false
}

// replace merges the pair in ids from left to right, in place.
func replace(ids []int32, pair [2]int32, id int32) []int32 {
	n := 0
	for i := 0; i < len(ids); i++ {
		if i+1 < len(ids) && ids[i] == pair[0] && ids[i+1] == pair[1] {
			ids[n] = id
			i++
		} else {
			ids[n] = ids[i]
		}
		n++
	}
	return ids[:n]
}

func join(a, b []byte) []byte {
	return append(append(make([]byte, 0, len(a)+len(b)), a...), b...)
}
