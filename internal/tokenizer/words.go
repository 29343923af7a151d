package tokenizer

import (
	"encoding/binary"
	"math/bits"
)

// maxWord is the longest pre-token in a wordTable: with its length it fills
// two machine words.
const maxWord = 15

// wordTable finds the token of a whole pre-token, which most are, without
// merging: an open-addressing table of fixed-size keys.
type wordTable struct {
	slots []wordSlot
	shift int
}

// wordSlot has a key of bytes, zero-padded, and their number in the top byte
// of hi; an empty slot has none.
type wordSlot struct {
	lo, hi uint64
	id     int32
}

func newWordTable(n int) wordTable {
	size := bits.Len(uint(2*n + 1)) // at most half full, so that probes stay short
	return wordTable{slots: make([]wordSlot, 1<<size), shift: 64 - size}
}

func (t *wordTable) hash(lo, hi uint64) uint64 {
	return (lo ^ bits.RotateLeft64(hi*0x9e3779b97f4a7c15, 29)) * 0xd6e8feb86659fd93 >> t.shift
}

func (t *wordTable) put(word []byte, id int32) {
	lo, hi := wordKey(word, 0, len(word))
	h := t.hash(lo, hi)
	for t.slots[h].hi != 0 {
		h = (h + 1) & uint64(len(t.slots)-1)
	}
	t.slots[h] = wordSlot{lo, hi, id}
}

// get returns the token of text[i:end], of up to maxWord bytes, or -1.
func (t *wordTable) get(text []byte, i, end int) int32 {
	lo, hi := wordKey(text, i, end)
	for h := t.hash(lo, hi); ; h++ {
		s := &t.slots[h&uint64(len(t.slots)-1)]
		if s.lo == lo && s.hi == hi {
			return s.id
		}
		if s.hi == 0 {
			return -1
		}
	}
}

func wordKey(text []byte, i, end int) (lo, hi uint64) {
	n := end - i
	if i+16 > len(text) {
		var pad [16]byte
		copy(pad[:], text[i:end])
		text, i = pad[:], 0
	}
	lo = binary.LittleEndian.Uint64(text[i:])
	if n < 8 {
		lo &= 1<<(8*n) - 1
	} else {
		hi = binary.LittleEndian.Uint64(text[i+8:]) & (1<<(8*(n-8)) - 1)
	}
	return lo, hi | uint64(n)<<56
}
