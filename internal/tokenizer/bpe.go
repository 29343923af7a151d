package tokenizer

import (
	"slices"
	"sync"
)

// Tokenizer turns text into token ids and back.
type Tokenizer interface {
	// Size is the number of ids: they are 0 to Size()-1.
	Size() int
	// Encode appends the tokens of text to dst.
	Encode(dst []int32, text []byte) []int32
	// Decode appends the bytes of ids to dst; special and unknown ids have none.
	Decode(dst []byte, ids []int32) []byte
	// Piece returns the bytes of a token, which must not be changed: nil for a
	// special or unknown id.
	Piece(id int32) []byte
}

// BPE is a [Tokenizer] that merges the pair of lowest rank first.
type BPE struct {
	vocab Vocab
	pairs pairTable
	words wordTable
	lines sync.Pool // of *line
}

// NewBPE checks the vocabulary and prepares its tables.
func NewBPE(v Vocab) (*BPE, error) {
	if err := v.check(); err != nil {
		return nil, err
	}
	b := &BPE{vocab: v, pairs: newPairTable(v.Merges, v.Special+256)}
	b.lines.New = func() any { return newLine(len(v.Merges)) }
	b.words = newWordTable(len(v.Merges))
	var ids []int32
	for i := range v.Merges {
		id := int32(v.Special + 256 + i)
		// A piece need not be what its own bytes merge to: lower ranks may
		// pair them differently.
		if ids = b.merge(ids[:0], v.Pieces[id]); len(ids) == 1 && len(v.Pieces[id]) <= maxWord {
			b.words.put(v.Pieces[id], id)
		}
	}
	return b, nil
}

// Vocab returns the vocabulary, which must not be changed.
func (b *BPE) Vocab() Vocab { return b.vocab }

// Size implements Tokenizer.
func (b *BPE) Size() int { return len(b.vocab.Pieces) }

// Piece implements Tokenizer.
func (b *BPE) Piece(id int32) []byte {
	if int(id) < b.vocab.Special || int(id) >= len(b.vocab.Pieces) {
		return nil
	}
	return b.vocab.Pieces[id]
}

// Decode implements Tokenizer.
func (b *BPE) Decode(dst []byte, ids []int32) []byte {
	for _, id := range ids {
		dst = append(dst, b.Piece(id)...)
	}
	return dst
}

// Encode implements Tokenizer.
func (b *BPE) Encode(dst []int32, text []byte) []int32 {
	dst = slices.Grow(dst, len(text)/4)
	for i := 0; i < len(text); {
		end := pretoken(text, i)
		switch n := end - i; {
		case n == 1:
			dst = append(dst, int32(b.vocab.Special)+int32(text[i]))
		case n <= maxWord:
			if id := b.words.get(text, i, end); id >= 0 {
				dst = append(dst, id)
				break
			}
			fallthrough
		default:
			dst = b.merge(dst, text[i:end])
		}
		i = end
	}
	return dst
}

// merge appends the tokens of one pre-token.
func (b *BPE) merge(dst []int32, text []byte) []int32 {
	start := len(dst)
	for _, c := range text {
		dst = append(dst, int32(b.vocab.Special)+int32(c))
	}
	ids := dst[start:]
	if len(ids) <= maxShort {
		return dst[:start+b.pairs.mergeShort(ids, nil)]
	}
	l := b.lines.Get().(*line)
	n := l.merge(ids, &b.pairs, &b.vocab)
	b.lines.Put(l)
	return dst[:start+n]
}
