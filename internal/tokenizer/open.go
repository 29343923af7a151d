package tokenizer

import (
	"bytes"
	"cmp"
	"container/heap"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Source describes a vocabulary of open weights as their files do.
type Source struct {
	Model          string    // kind: "gpt2" (byte-level BPE), "llama" (SentencePiece) or "gemma4" (BPE of characters)
	Pre            string    // name of the pre-tokenizer of byte-level BPE
	Tokens         []string  // in order of id
	Types          []int32   // a token's kind; nil if all are normal
	Merges         []string  // of BPE, in order of rank: "left right"
	Scores         []float32 // of SentencePiece, the higher the earlier
	AddSpacePrefix bool      // SentencePiece: put a space before the text
}

// Kinds of tokens.
const (
	typeUnknown     = 2
	typeControl     = 3
	typeUserDefined = 4
	typeByte        = 6
)

// Open is the [Tokenizer] of a vocabulary of open weights. Encode never parses
// control tokens out of text; EncodeSpecial does. It is safe for concurrent use.
//
// Encoding loses nothing that the vocabulary can say: SentencePiece puts a space
// before the text and writes ▁ for spaces, and bytes without a token become
// U+FFFD.
type Open struct {
	pieces  [][]byte // what a token decodes to; nil for control tokens
	control []bool
	special []specialToken // parsed out of text before all else, longest first
	ids     map[string]int32
	byteID  [256]int32 // of single bytes, −1 where there is none

	split  func(text []byte, yield func([]byte)) // byte-level BPE: into pre-tokens
	pairs  pairTable                             // of BPE
	made   []int32                               // id that each rank makes
	whole  bool                                  // a pre-token that is a token is one, whatever its merges
	chars  bool                                  // symbols are characters, spaces ▁
	scores []float32                             // of SentencePiece, else nil
	prefix bool                                  // a space before the text
}

type specialToken struct {
	text string
	id   int32
	user bool // parsed out of any text
}

// space stands for " " where symbols are characters.
const space = "▁"

// NewOpen checks a vocabulary and prepares its tables.
func NewOpen(src Source) (*Open, error) {
	switch {
	case len(src.Tokens) == 0 || len(src.Tokens) > maxVocab:
		return nil, fmt.Errorf("tokenizer: %d tokens, want 1 to %d", len(src.Tokens), maxVocab)
	case src.Types != nil && len(src.Types) != len(src.Tokens):
		return nil, fmt.Errorf("tokenizer: %d token types of %d tokens", len(src.Types), len(src.Tokens))
	case len(src.Merges) >= maxVocab:
		return nil, fmt.Errorf("tokenizer: %d merges, want less than %d", len(src.Merges), maxVocab)
	}
	o := &Open{ids: make(map[string]int32, len(src.Tokens)), chars: src.Model != "gpt2"}
	switch src.Model {
	case "gpt2":
		p, ok := pretokenizers[src.Pre]
		if !ok {
			return nil, fmt.Errorf("tokenizer: pre-tokenizer %q is not supported", src.Pre)
		}
		o.split, o.whole = p.split, p.whole
	case "gemma4":
		o.split, o.whole = splitNewlines, true
	case "llama":
		if len(src.Scores) != len(src.Tokens) {
			return nil, fmt.Errorf("tokenizer: %d scores of %d tokens", len(src.Scores), len(src.Tokens))
		}
		o.scores, o.prefix = src.Scores, src.AddSpacePrefix
	default:
		return nil, fmt.Errorf("tokenizer: model %q is not supported; supported are gpt2, llama and gemma4", src.Model)
	}
	if err := o.addTokens(src); err != nil {
		return nil, err
	}
	if o.scores == nil {
		return o, o.addMerges(src.Merges)
	}
	return o, nil
}

func (o *Open) addTokens(src Source) error {
	for i := range o.byteID {
		o.byteID[i] = -1
	}
	o.control = make([]bool, len(src.Tokens))
	for i, s := range src.Tokens {
		id, kind := int32(i), int32(1)
		if src.Types != nil {
			kind = src.Types[i]
		}
		var piece []byte
		switch {
		case kind == typeControl || kind == typeUnknown:
			o.control[i] = true
			o.special = append(o.special, specialToken{s, id, false})
		case kind == typeUserDefined:
			piece = []byte(s)
			o.special = append(o.special, specialToken{s, id, true})
		case kind == typeByte:
			b, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimPrefix(s, "<0x"), ">"), 16, 8)
			if err != nil {
				return fmt.Errorf("tokenizer: token %d, %q, is no byte", i, s)
			}
			piece = []byte{byte(b)}
			o.byteID[b] = id
		case o.chars:
			piece = []byte(strings.ReplaceAll(s, space, " "))
		default:
			var err error
			if piece, err = pieceBytes(s); err != nil {
				piece = []byte(s) // added to the vocabulary as plain text
			} else if len(piece) == 1 {
				o.byteID[piece[0]] = id
			}
		}
		o.pieces = append(o.pieces, piece)
		if kind != typeByte {
			o.ids[s] = id // of equals the last counts
		}
	}
	o.special = slices.DeleteFunc(o.special, func(t specialToken) bool { return t.text == "" })
	slices.SortStableFunc(o.special, func(a, b specialToken) int { return cmp.Compare(len(b.text), len(a.text)) })
	return nil
}

func (o *Open) addMerges(list []string) error {
	merges := make([][2]int32, len(list))
	for i, s := range list {
		// A piece may begin with a space only where symbols are characters.
		cut := strings.IndexByte(s[min(1, len(s)):], ' ') + 1
		if cut < 1 {
			return fmt.Errorf("tokenizer: merge %d, %q, does not name two pieces", i, s)
		}
		left, okL := o.ids[s[:cut]]
		right, okR := o.ids[s[cut+1:]]
		both, ok := o.ids[s[:cut]+s[cut+1:]]
		if !okL || !okR || !ok {
			return fmt.Errorf("tokenizer: merge %d, %q, is of pieces that are not tokens", i, s)
		}
		merges[i] = [2]int32{left, right}
		o.made = append(o.made, both)
	}
	o.pairs = newPairTable(merges, 0)
	return nil
}

// Size implements Tokenizer.
func (o *Open) Size() int { return len(o.pieces) }

// Piece implements Tokenizer.
func (o *Open) Piece(id int32) []byte {
	if id < 0 || int(id) >= len(o.pieces) {
		return nil
	}
	return o.pieces[id]
}

// Control returns the texts of all control tokens.
func (o *Open) Control() (texts []string) {
	for _, t := range o.special {
		if !t.user {
			texts = append(texts, t.text)
		}
	}
	return texts
}

// ControlText returns the text of a control token, "" for another.
func (o *Open) ControlText(id int32) string {
	for _, t := range o.special {
		if t.id == id && !t.user {
			return t.text
		}
	}
	return ""
}

// Decode implements Tokenizer.
func (o *Open) Decode(dst []byte, ids []int32) []byte {
	for _, id := range ids {
		dst = append(dst, o.Piece(id)...)
	}
	return dst
}

// Encode implements Tokenizer.
func (o *Open) Encode(dst []int32, text []byte) []int32 { return o.encode(dst, text, false, true) }

// EncodeSpecial is Encode that also parses control tokens out of the text: for
// templates, never for what a user wrote.
func (o *Open) EncodeSpecial(dst []int32, text []byte) []int32 {
	return o.encode(dst, text, true, true)
}

// EncodeOn is Encode for a text that goes on after another: it puts no space before
// it.
func (o *Open) EncodeOn(dst []int32, text []byte) []int32 { return o.encode(dst, text, false, false) }

// encode has control tokens parsed if control is set; begins says that text begins a
// text, or follows a special token.
func (o *Open) encode(dst []int32, text []byte, control, begins bool) []int32 {
	for len(text) > 0 {
		at, tok := o.nextSpecial(text, control)
		if at > 0 {
			dst = o.plain(dst, text[:at], begins)
		}
		if tok == nil {
			break
		}
		dst = append(dst, tok.id)
		text, begins = text[at+len(tok.text):], true
	}
	return dst
}

// nextSpecial returns where the first special token stands, the longest of those
// that begin there; len(text) and nil if there is none.
func (o *Open) nextSpecial(text []byte, control bool) (at int, tok *specialToken) {
	at = len(text)
	for i := range o.special {
		t := &o.special[i]
		if !t.user && !control {
			continue
		}
		end := min(at+len(t.text), len(text))
		if k := bytes.Index(text[:end], []byte(t.text)); k >= 0 && k < at {
			at, tok = k, t
		}
	}
	return at, tok
}

// plain encodes text without special tokens.
func (o *Open) plain(dst []int32, text []byte, begins bool) []int32 {
	switch {
	case o.scores != nil:
		if o.prefix && begins {
			text = append([]byte(" "), text...)
		}
		return o.word(dst, bytes.ReplaceAll(text, []byte(" "), []byte(space)))
	case o.chars:
		text = bytes.ReplaceAll(text, []byte(" "), []byte(space))
	}
	o.split(text, func(w []byte) { dst = o.word(dst, w) })
	return dst
}

// word encodes one pre-token.
func (o *Open) word(dst []int32, w []byte) []int32 {
	if o.whole {
		name := string(w)
		if !o.chars {
			name = pieceString(w)
		}
		if id, ok := o.ids[name]; ok && !o.control[id] {
			return append(dst, id)
		}
	}
	if !o.chars && len(w) <= maxShort {
		start := len(dst)
		for _, c := range w {
			dst = append(dst, o.byteID[c])
		}
		if !slices.Contains(dst[start:], -1) {
			return dst[:start+o.pairs.mergeShort(dst[start:], o.made)]
		}
		dst = dst[:start]
	}
	return o.symbols(dst, w)
}

// symbol is a piece in the making; those that were merged into another are empty.
type symbol struct {
	from, to   int // bytes of the word
	id         int32
	prev, next int
}

// union is a pair that may merge.
type union struct {
	rank        float64 // the lower the earlier
	left, right int
	id          int32
	size        int // bytes of the pair when it was found
}

type unions []union

func (c unions) Len() int { return len(c) }
func (c unions) Less(i, j int) bool {
	return c[i].rank < c[j].rank || c[i].rank == c[j].rank && c[i].left < c[j].left
}
func (c unions) Swap(i, j int) { c[i], c[j] = c[j], c[i] }
func (c *unions) Push(x any)   { *c = append(*c, x.(union)) }
func (c *unions) Pop() any {
	last := (*c)[len(*c)-1]
	*c = (*c)[:len(*c)-1]
	return last
}

// symbols encodes a word of any length and any kind of symbols: the pair of
// lowest rank, or highest score, is merged first, the leftmost among equals. What
// is no token in the end becomes bytes.
func (o *Open) symbols(dst []int32, w []byte) []int32 {
	list := make([]symbol, 0, len(w))
	for i := 0; i < len(w); {
		n := 1
		if o.chars {
			_, n = utf8.DecodeRune(w[i:])
		}
		list = append(list, symbol{from: i, to: i + n, id: o.symbolID(w[i : i+n]), prev: len(list) - 1, next: len(list) + 1})
		i += n
	}
	var queue unions
	try := func(l, r int) {
		if l < 0 || r >= len(list) {
			return
		}
		if c, ok := o.pair(&list[l], &list[r], w); ok {
			c.left, c.right, c.size = l, r, list[r].to-list[l].from
			heap.Push(&queue, c)
		}
	}
	for i := range list {
		try(i, i+1)
	}
	for len(queue) > 0 {
		c := heap.Pop(&queue).(union)
		l, r := &list[c.left], &list[c.right]
		if l.from == l.to || r.from == r.to || r.to-l.from != c.size {
			continue // one of them was merged meanwhile
		}
		l.to, l.id, l.next = r.to, c.id, r.next
		r.from = r.to
		if l.next < len(list) {
			list[l.next].prev = c.left
		}
		try(l.prev, c.left)
		try(c.left, l.next)
	}
	for i := 0; i < len(list); i = list[i].next {
		s := list[i]
		if s.id >= 0 {
			dst = append(dst, s.id)
			continue
		}
		for _, b := range w[s.from:s.to] {
			dst = o.appendByte(dst, b)
		}
	}
	return dst
}

// appendByte encodes one byte. Bytes that never occur in UTF-8 have no token in
// some vocabularies: they become U+FFFD, as where such text is displayed.
func (o *Open) appendByte(dst []int32, b byte) []int32 {
	if id := o.byteID[b]; id >= 0 {
		return append(dst, id)
	}
	for _, c := range []byte(string(utf8.RuneError)) {
		if id := o.byteID[c]; id >= 0 {
			dst = append(dst, id)
		}
	}
	return dst
}

// symbolID returns the token of a single symbol, −1 if it is none.
func (o *Open) symbolID(b []byte) int32 {
	if !o.chars {
		return o.byteID[b[0]]
	}
	if id, ok := o.ids[string(b)]; ok && !o.control[id] {
		return id
	}
	return -1
}

// pair returns what two neighbours merge to.
func (o *Open) pair(l, r *symbol, w []byte) (c union, ok bool) {
	if o.scores == nil {
		if l.id < 0 || r.id < 0 {
			return c, false
		}
		rank := o.pairs.get(l.id, r.id)
		if rank == none {
			return c, false
		}
		return union{rank: float64(rank), id: o.made[rank]}, true
	}
	id, ok := o.ids[string(w[l.from:r.to])]
	if !ok || o.control[id] {
		return c, false
	}
	return union{rank: -float64(o.scores[id]), id: id}, true
}
