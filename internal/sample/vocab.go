package sample

import (
	"bytes"
	"slices"
	"unicode/utf8"
)

// maxPlain is how many code points the tokens have at most that a string
// without limits takes without being asked for each.
const maxPlain = 32

// TokenTrie is a vocabulary by its tokens' bytes. It does not change, and may be
// shared by any number of answers at once.
type TokenTrie struct {
	text []byte // of all tokens
	off  []int  // where each begins; one more
	// Tokens that say only what a string says without escapes, whole code points,
	// stand apart: most tokens are such, and most of an answer is strings.
	plain, rest trieNodes
	plainMask   []uint64
}

// trieNodes has nodes in preorder.
type trieNodes struct {
	nodes []trieNode
	ids   []int32
}

type trieNode struct {
	b      byte
	depth  int32 // bytes down to here
	next   int32 // the node after those below
	lo, hi int32 // ids of the tokens that end here
}

// NewTokenTrie sorts a vocabulary of size tokens. piece gives a token's bytes, and
// none for tokens that write nothing, such as control tokens; those are never
// part of a value.
func NewTokenTrie(size int, piece func(id int32) []byte) *TokenTrie {
	t := &TokenTrie{off: make([]int, 1, size+1), plainMask: make([]uint64, (size+63)/64)}
	var plain, rest []int32
	for id := range int32(size) {
		p := piece(id)
		t.text = append(t.text, p...)
		t.off = append(t.off, len(t.text))
		switch {
		case len(p) == 0:
		case isPlain(p):
			plain = append(plain, id)
			t.plainMask[id/64] |= 1 << (id % 64)
		default:
			rest = append(rest, id)
		}
	}
	t.plain, t.rest = t.nodes(plain), t.nodes(rest)
	return t
}

func isPlain(p []byte) bool {
	return utf8.Valid(p) && utf8.RuneCount(p) <= maxPlain &&
		!bytes.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' })
}

// Size is the number of tokens.
func (t *TokenTrie) Size() int { return len(t.off) - 1 }

func (t *TokenTrie) piece(id int32) []byte { return t.text[t.off[id]:t.off[id+1]] }

func (t *TokenTrie) nodes(ids []int32) trieNodes {
	slices.SortStableFunc(ids, func(a, b int32) int { return bytes.Compare(t.piece(a), t.piece(b)) })
	out := trieNodes{ids: ids}
	var path []int32 // the nodes down to the last token
	leave := func(depth int) {
		for _, n := range path[depth:] {
			out.nodes[n].next = int32(len(out.nodes))
		}
		path = path[:depth]
	}
	for i, id := range ids {
		p := t.piece(id)
		common := 0
		for common < min(len(path), len(p)) && out.nodes[path[common]].b == p[common] {
			common++
		}
		leave(common)
		for _, b := range p[common:] {
			path = append(path, int32(len(out.nodes)))
			out.nodes = append(out.nodes, trieNode{b: b, depth: int32(len(path)), lo: int32(i), hi: int32(i)})
		}
		out.nodes[path[len(path)-1]].hi = int32(i + 1)
	}
	leave(0)
	return out
}
