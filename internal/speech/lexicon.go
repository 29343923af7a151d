package speech

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// A Lexicon says how words are pronounced.
type Lexicon struct {
	Accents []string
	Words   []string // none twice
	forms   [][]Form // of each word
	index   map[string]int
}

// A Form is a way to pronounce a word: in some accents if it stands alone, in some
// if it stands between others ("of", "the", and a t before a vowel).
type Form struct {
	Phones []uint8 // see Inventory
	Alone  uint32  // a bit for each of the lexicon's accents
	Within uint32
}

// carriers have a word alone, before a consonant and before a vowel.
var carriers = []struct{ before, after string }{{"", ""}, {"say ", " say"}, {"say ", " aunt"}}

// BuildLexicon asks a speaker for the pronunciation of words, in lower case, in
// accents, of which there may be 32.
func BuildLexicon(s *Speaker, words, accents []string) (*Lexicon, error) {
	if len(accents) > 32 {
		return nil, fmt.Errorf("speech: a lexicon of %d accents: at most 32", len(accents))
	}
	l := NewLexicon(words, accents)
	if len(l.index) < len(words) {
		return nil, errors.New("speech: a lexicon with a word twice")
	}
	for a, accent := range accents {
		for c, carrier := range carriers {
			before, err := s.Pronounce(accent, carrier.before)
			if err != nil {
				return nil, err
			}
			after, err := s.Pronounce(accent, carrier.after)
			if err != nil {
				return nil, err
			}
			for i, word := range words {
				names, err := s.Pronounce(accent, carrier.before+word+carrier.after)
				if err != nil {
					return nil, fmt.Errorf("%q in accent %s: %w", word, accent, err)
				}
				// A word that changes its carrier has no form of its own there; nor has one
				// whose last phone the synthesiser names together with what follows.
				names, ok := within(names, before, after)
				form, err := ids(names)
				switch {
				case c > 0 && (!ok || err != nil):
					continue
				case err != nil:
					return nil, fmt.Errorf("speech: %q in accent %s: %w", word, accent, err)
				case !ok:
					return nil, fmt.Errorf("speech: %q in accent %s: nothing is said", word, accent)
				}
				l.Add(i, form, 1<<a, c > 0)
			}
		}
	}
	return l, nil
}

// NewLexicon returns a lexicon of words without pronunciations.
func NewLexicon(words, accents []string) *Lexicon {
	l := &Lexicon{Accents: accents, Words: words, forms: make([][]Form, len(words)), index: make(map[string]int, len(words))}
	for i, w := range words {
		l.index[w] = i
	}
	return l
}

// within takes what stands before and after from a phrase.
func within(phrase, before, after []string) ([]string, bool) {
	n := len(phrase) - len(after)
	if n <= len(before) || !slices.Equal(phrase[:len(before)], before) || !slices.Equal(phrase[n:], after) {
		return nil, false
	}
	return phrase[len(before):n], true
}

func ids(names []string) ([]uint8, error) {
	out := make([]uint8, len(names))
	for i, name := range names {
		id, ok := PhoneID(name)
		if !ok {
			return nil, fmt.Errorf("phone %q is not in the inventory: %s", name, versions)
		}
		out[i] = id
	}
	return out, nil
}

// Add notes a pronunciation of the word-th word, in accents, alone or within a
// sentence.
func (l *Lexicon) Add(word int, phones []uint8, accent uint32, within bool) {
	i := slices.IndexFunc(l.forms[word], func(f Form) bool { return bytes.Equal(f.Phones, phones) })
	if i < 0 {
		i = len(l.forms[word])
		l.forms[word] = append(l.forms[word], Form{Phones: phones})
	}
	if f := &l.forms[word][i]; within {
		f.Within |= accent
	} else {
		f.Alone |= accent
	}
}

// Forms returns the pronunciations of a word, none if the lexicon lacks it.
func (l *Lexicon) Forms(word string) []Form {
	if i, ok := l.index[word]; ok {
		return l.forms[i]
	}
	return nil
}

// Homophones reports whether two words, alone, sound the same in some accent.
func (l *Lexicon) Homophones(a, b string) bool {
	for _, f := range l.Forms(a) {
		for _, g := range l.Forms(b) {
			if f.Alone&g.Alone != 0 && bytes.Equal(f.Phones, g.Phones) {
				return true
			}
		}
	}
	return false
}

// The encoded form: see docs/formats.md.
const (
	lexiconMagic = "hslexic1"
	maxLexicon   = 64 << 20 // bytes, inflated
)

// Encode returns the lexicon as bytes, for ParseLexicon.
func (l *Lexicon) Encode() ([]byte, error) {
	var b []byte
	put := func(n int) { b = binary.AppendUvarint(b, uint64(n)) }
	text := func(s string) {
		put(len(s))
		b = append(b, s...)
	}
	put(len(l.Accents))
	for _, a := range l.Accents {
		text(a)
	}
	put(len(l.Words))
	for i, w := range l.Words {
		text(w)
		put(len(l.forms[i]))
		for _, f := range l.forms[i] {
			put(int(f.Alone))
			put(int(f.Within))
			text(string(f.Phones))
		}
	}
	if len(b) > maxLexicon {
		return nil, fmt.Errorf("speech: a lexicon of %d bytes: at most %d", len(b), maxLexicon)
	}
	out := bytes.NewBufferString(lexiconMagic)
	z, err := flate.NewWriter(out, flate.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(b); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// ParseLexicon reads what Encode wrote.
func ParseLexicon(data []byte) (*Lexicon, error) {
	packed, ok := bytes.CutPrefix(data, []byte(lexiconMagic))
	if !ok {
		return nil, errors.New("speech: not a lexicon of this version")
	}
	plain, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), maxLexicon+1))
	if err != nil {
		return nil, fmt.Errorf("speech: lexicon: %w", err)
	}
	if len(plain) > maxLexicon {
		return nil, fmt.Errorf("speech: a lexicon of more than %d bytes", maxLexicon)
	}
	r := lexiconReader{b: plain}
	l := r.lexicon()
	if r.err != nil {
		return nil, fmt.Errorf("speech: lexicon: %w", r.err)
	}
	return l, nil
}

// lexiconReader reads fields; after the first error it returns zeroes.
type lexiconReader struct {
	b   []byte
	at  int
	err error
}

func (r *lexiconReader) lexicon() *Lexicon {
	accents := make([]string, r.int("accents", 32))
	for i := range accents {
		accents[i] = r.text("accent")
	}
	// Each takes two bytes at least.
	n := r.int("words", (len(r.b)-r.at)/2)
	words, forms := make([]string, n), make([][]Form, n)
	for i := range words {
		words[i] = r.text("word")
		forms[i] = make([]Form, r.int("forms", (len(r.b)-r.at)/3))
		for j := range forms[i] {
			forms[i][j] = r.form(len(accents))
		}
		if r.err != nil {
			return nil
		}
	}
	l := NewLexicon(words, accents)
	l.forms = forms
	switch {
	case r.err == nil && r.at != len(r.b):
		r.err = fmt.Errorf("offset %d: %d bytes too many", r.at, len(r.b)-r.at)
	case r.err == nil && len(l.index) < n:
		r.err = errors.New("a word is there twice")
	}
	return l
}

func (r *lexiconReader) form(accents int) Form {
	most := 1<<accents - 1
	f := Form{Alone: uint32(r.int("accents of a form", most)), Within: uint32(r.int("accents of a form", most))}
	f.Phones = []byte(r.text("phones"))
	if i := slices.IndexFunc(f.Phones, func(id uint8) bool { return int(id) >= len(Inventory) }); i >= 0 && r.err == nil {
		r.err = fmt.Errorf("offset %d: phone %d is unknown", r.at-len(f.Phones)+i, f.Phones[i])
	}
	return f
}

func (r *lexiconReader) int(what string, most int) int {
	if r.err != nil {
		return 0
	}
	n, size := binary.Uvarint(r.b[r.at:])
	if size <= 0 || n > uint64(most) {
		r.err = fmt.Errorf("offset %d: %s: want a number up to %d", r.at, what, most)
		return 0
	}
	r.at += size
	return int(n)
}

func (r *lexiconReader) text(what string) string {
	n := r.int(what, len(r.b)-r.at)
	if n > len(r.b)-r.at {
		r.err = fmt.Errorf("offset %d: %s of %d bytes, but %d are left", r.at, what, n, len(r.b)-r.at)
	}
	if r.err != nil {
		return ""
	}
	r.at += n
	return string(r.b[r.at-n : r.at])
}

// Pronunciation writes phones by their names.
func Pronunciation(phones []uint8) string {
	names := make([]string, len(phones))
	for i, id := range phones {
		names[i] = Inventory[id]
	}
	return strings.Join(names, " ")
}
