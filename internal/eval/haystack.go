package eval

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
)

// blockBytes is the size from which a part of the haystack is closed: files are
// concatenated up to it, so that a tree of small files is read as fast as a book.
const blockBytes = 1 << 20

// A Haystack is the text that needles are hidden in. It is read in order and
// from its start again until the longest context is filled.
type Haystack struct {
	Name   string // what run.json and the heat map call it
	blocks []Part
	size   int
	digest [sha256.Size]byte
}

// NewHaystack concatenates the parts, in order. Parts without text are left
// out; none with text is an error.
func NewHaystack(name string, parts []Part) (*Haystack, error) {
	h := &Haystack{Name: name}
	sum := sha256.New()
	var text []byte
	flush := func() {
		if len(text) > 0 {
			source := fmt.Sprintf("%s#%d", name, len(h.blocks)+1)
			h.blocks = append(h.blocks, Part{Source: source, Text: text})
			text = nil
		}
	}
	for _, p := range parts {
		if len(p.Text) == 0 {
			continue
		}
		sum.Write(p.Text)
		h.size += len(p.Text)
		text = append(text, p.Text...)
		if text[len(text)-1] != '\n' {
			text = append(text, '\n')
		}
		if len(text) >= blockBytes {
			flush()
		}
	}
	flush()
	if len(h.blocks) == 0 {
		return nil, errors.New("eval: the haystack holds no text")
	}
	sum.Sum(h.digest[:0])
	return h, nil
}

// Size is the number of bytes of text.
func (h *Haystack) Size() int { return h.size }

// Digest is the SHA-256 of the text, in hex.
func (h *Haystack) Digest() string { return hex.EncodeToString(h.digest[:]) }

// A stretch is a part of a base: the tokens from start up to the next stretch
// were read as one part called source.
type stretch struct {
	start  int
	source string
}

// fill reads the haystack into base until it holds want tokens, once through
// at least when whole is set, and returns the stretches and the number of
// tokens of one whole pass (0 without whole).
func (h *Haystack) fill(ctx context.Context, base Base, want int, whole bool, progress func(tokens int)) (stretches []stretch, pass int, err error) {
	for i := 0; ; i++ {
		have := base.Tokens()
		if whole && i == len(h.blocks) {
			pass = have
		}
		if have >= want && (!whole || pass > 0) {
			return stretches, pass, nil
		}
		p := h.blocks[i%len(h.blocks)]
		if !whole || pass > 0 {
			p.Text = headOf(p.Text, 5*(want-have))
		}
		if i >= len(h.blocks) {
			p.Source = fmt.Sprintf("%s, pass %d", p.Source, i/len(h.blocks)+1)
		}
		stretches = append(stretches, stretch{have, p.Source})
		err = base.Append(ctx, p, func(n int) {
			if progress != nil {
				progress(have + n)
			}
		})
		if err != nil {
			return nil, 0, fmt.Errorf("eval: reading %s: %w", p.Source, err)
		}
		if base.Tokens() == have {
			return nil, 0, fmt.Errorf("eval: reading %s added no tokens", p.Source)
		}
	}
}

// headOf returns text cut after about n bytes, at a line end where there is
// one near. A cut spares reading a megabyte for a context of a thousand tokens.
func headOf(text []byte, n int) []byte {
	n = max(n, 4096)
	if n >= len(text) {
		return text
	}
	if i := bytes.IndexByte(text[n:min(n+4096, len(text))], '\n'); i >= 0 {
		n += i + 1
	}
	return text[:n]
}

// Generate writes about n bytes of plain English-like prose: sentences over a
// small grammar, in paragraphs. It is what is read where no text is at hand.
func Generate(w io.Writer, rng *rand.Rand, n int) error {
	pick := func(words []string) string { return words[rng.IntN(len(words))] }
	phrase := func() string {
		if rng.IntN(3) == 0 {
			return "the " + pick(nouns)
		}
		return "the " + pick(adjectives) + " " + pick(nouns)
	}
	var b strings.Builder
	for written := 0; written < n; {
		b.Reset()
		for range 3 + rng.IntN(5) {
			s := phrase() + " " + pick(verbs) + " " + phrase()
			switch rng.IntN(4) {
			case 0:
				s = pick(openings) + " " + s
			case 1:
				s += " " + pick(places) + " " + phrase()
			case 2:
				s += ", and " + phrase() + " " + pick(verbs) + " " + phrase()
			}
			b.WriteString(strings.ToUpper(s[:1]) + s[1:] + ". ")
		}
		b.WriteString("\n\n")
		m, err := io.WriteString(w, b.String())
		if err != nil {
			return err
		}
		written += m
	}
	return nil
}

var (
	adjectives = strings.Fields(`old quiet narrow heavy bright early wooden distant careful broken green cold
		patient crowded empty gentle hollow iron late muddy open pale rough silver tall uneven warm yellow`)
	nouns = strings.Fields(`river teacher engine window garden letter bridge market captain orchard station
		kitchen winter carpenter mountain clock harbour neighbour field ladder library miller road island
		painter shepherd tower village wagon lantern doctor meadow factory printer valley baker chimney cellar`)
	verbs = strings.Fields(`followed carried watched repaired forgot crossed measured painted described
		found left remembered visited covered kept lost moved opened passed reached served turned`)
	openings = []string{"after the rain", "in the morning", "for many years", "without a word", "before noon",
		"on the second day", "at first", "some time later", "as usual"}
	places = []string{"near", "behind", "beyond", "under", "beside", "above", "along", "before", "across from"}
)
