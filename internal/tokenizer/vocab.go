package tokenizer

import (
	"bytes"
	"fmt"
)

// The special tokens, whose ids are below [NumSpecial].
const (
	Pad      int32 = iota // fills a batch
	BOS                   // starts every segment of a context
	Question              // starts a question
	Answer                // ends the question and starts its answer
	End                   // ends an answer
	Absent                // the answer is not in the context
	Sep                   // between the values of an answer
	Image                 // starts the embeddings of an image
	Audio                 // starts the embeddings of a sound
	Time                  // starts a time stamp

	NumSpecial = 16 // the rest is reserved
)

const (
	maxPiece = 256     // bytes in a piece
	maxVocab = 1 << 20 // pieces in a vocabulary
)

// Vocab is a vocabulary in order of id: Special special tokens, whose Pieces
// are their names; the 256 bytes; then a piece for each merge, so that
// Pieces[Special+256+i] is the concatenation of the pieces of Merges[i]. A
// merge's rank is its index.
type Vocab struct {
	Pieces  [][]byte
	Merges  [][2]int32
	Special int
}

// SpecialNames returns the names of the NumSpecial special tokens.
func SpecialNames() []string {
	names := []string{"<|pad|>", "<|bos|>", "<|question|>", "<|answer|>", "<|end|>",
		"<|absent|>", "<|sep|>", "<|image|>", "<|audio|>", "<|time|>"}
	for i := len(names); i < NumSpecial; i++ {
		names = append(names, fmt.Sprintf("<|reserved%d|>", i))
	}
	return names
}

// newVocab returns the vocabulary of special tokens and bytes, without merges.
func newVocab(special []string) Vocab {
	v := Vocab{Special: len(special)}
	for _, s := range special {
		v.Pieces = append(v.Pieces, []byte(s))
	}
	for b := range 256 {
		v.Pieces = append(v.Pieces, []byte{byte(b)})
	}
	return v
}

// check reports the first way in which v breaks its own rules.
func (v Vocab) check() error {
	if v.Special < 0 || len(v.Pieces) > maxVocab || len(v.Pieces) != v.Special+256+len(v.Merges) {
		return fmt.Errorf("tokenizer: %d pieces are not %d special tokens, 256 bytes and %d merges",
			len(v.Pieces), v.Special, len(v.Merges))
	}
	for b := range 256 {
		if p := v.Pieces[v.Special+b]; len(p) != 1 || p[0] != byte(b) {
			return fmt.Errorf("tokenizer: piece %d is %q, not byte %#02x", v.Special+b, p, b)
		}
	}
	seen := make(map[string]bool, len(v.Pieces))
	for i, m := range v.Merges {
		id := v.Special + 256 + i
		for _, x := range m {
			if int(x) < v.Special || int(x) >= id {
				return fmt.Errorf("tokenizer: merge %d: id %d is not a piece before it", i, x)
			}
		}
		a, b, p := v.Pieces[m[0]], v.Pieces[m[1]], v.Pieces[id]
		if len(p) > maxPiece {
			return fmt.Errorf("tokenizer: merge %d: a piece of %d bytes, over %d", i, len(p), maxPiece)
		}
		if len(p) != len(a)+len(b) || !bytes.HasPrefix(p, a) || !bytes.HasSuffix(p, b) {
			return fmt.Errorf("tokenizer: merge %d: %q and %q do not make piece %q", i, a, b, p)
		}
		if seen[string(p)] {
			return fmt.Errorf("tokenizer: merge %d: piece %q comes twice", i, p)
		}
		seen[string(p)] = true
	}
	return nil
}
