package tokenizer

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
	ranks map[[2]int32]int32
}

// NewBPE checks the vocabulary and prepares its tables.
func NewBPE(v Vocab) (*BPE, error) {
	if err := v.check(); err != nil {
		return nil, err
	}
	b := &BPE{vocab: v, ranks: make(map[[2]int32]int32, len(v.Merges))}
	for i, m := range v.Merges {
		b.ranks[m] = int32(v.Special + 256 + i)
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
	for i := 0; i < len(text); {
		end := pretoken(text, i)
		n := len(dst)
		for _, c := range text[i:end] {
			dst = append(dst, int32(b.vocab.Special)+int32(c))
		}
		dst = dst[:n+len(b.merge(dst[n:]))]
		i = end
	}
	return dst
}

// merge merges ids in place.
func (b *BPE) merge(ids []int32) []int32 {
	for {
		at, best := -1, int32(0)
		for i := 1; i < len(ids); i++ {
			if id, ok := b.ranks[[2]int32{ids[i-1], ids[i]}]; ok && (at < 0 || id < best) {
				at, best = i-1, id
			}
		}
		if at < 0 {
			return ids
		}
		ids[at] = best
		ids = append(ids[:at+1], ids[at+2:]...)
	}
}
