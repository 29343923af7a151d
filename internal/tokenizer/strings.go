package tokenizer

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// byteRunes is GPT-2's mapping of bytes to printable runes, so that pieces are
// text: printable Latin-1 stands for itself, the rest follows from U+0100 on.
var byteRunes, runeBytes = func() ([256]rune, map[rune]byte) {
	var to [256]rune
	from := make(map[rune]byte, 256)
	next := rune(256)
	for b := range to {
		r := rune(b)
		if !(b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae) {
			r = next
			next++
		}
		to[b], from[r] = r, byte(b)
	}
	return to, from
}()

func pieceString(piece []byte) string {
	var s strings.Builder
	for _, b := range piece {
		s.WriteRune(byteRunes[b])
	}
	return s.String()
}

func pieceBytes(s string) ([]byte, error) {
	piece := make([]byte, 0, len(s))
	for _, r := range s {
		b, ok := runeBytes[r]
		if !ok {
			return nil, fmt.Errorf("%q is not a byte in GPT-2's mapping", r)
		}
		piece = append(piece, b)
	}
	return piece, nil
}

// Strings returns the pieces and merges as GGUF files store them: pieces in
// GPT-2's byte mapping, special tokens by name, a merge as its two pieces with
// a space between.
func (v Vocab) Strings() (tokens, merges []string) {
	for i, p := range v.Pieces {
		if i < v.Special {
			tokens = append(tokens, string(p))
		} else {
			tokens = append(tokens, pieceString(p))
		}
	}
	for _, m := range v.Merges {
		merges = append(merges, tokens[m[0]]+" "+tokens[m[1]])
	}
	return tokens, merges
}

// FromStrings is the inverse of [Vocab.Strings].
func FromStrings(tokens, merges []string, special int) (Vocab, error) {
	if special < 0 || special > len(tokens) {
		return Vocab{}, fmt.Errorf("tokenizer: %d special tokens of %d", special, len(tokens))
	}
	v := Vocab{Special: special}
	ids := make(map[string]int32, len(tokens))
	for i, s := range tokens {
		piece := []byte(s)
		if i >= special {
			var err error
			if piece, err = pieceBytes(s); err != nil {
				return Vocab{}, fmt.Errorf("tokenizer: piece %d: %w", i, err)
			}
			if _, dup := ids[s]; dup {
				return Vocab{}, fmt.Errorf("tokenizer: piece %d, %q, occurs twice", i, s)
			}
			ids[s] = int32(i)
		}
		v.Pieces = append(v.Pieces, piece)
	}
	for i, s := range merges {
		a, b, ok := strings.Cut(s, " ")
		left, okA := ids[a]
		right, okB := ids[b]
		if !ok || !okA || !okB || !utf8.ValidString(s) {
			return Vocab{}, fmt.Errorf("tokenizer: merge %d, %q, does not name two pieces", i, s)
		}
		v.Merges = append(v.Merges, [2]int32{left, right})
	}
	return v, v.check()
}
