package engine

import (
	"bytes"
	"fmt"

	"github.com/handscroll/handscroll/internal/tokenizer"
)

const (
	// chunkTokens is how much is prefilled by all workers together, appended
	// and, after an interruption, lost at a time.
	chunkTokens = 8192
	// blockTokens is what positions of prefills are multiples of: nn.Block.
	blockTokens = 64
	// pieceBytes is how much text is tokenised at a time.
	pieceBytes = 1 << 18
)

// task is one chunk to prefill, with everything that its entries depend on.
type task struct {
	part        *plan
	ids         []int32 // the chunk's tokens with those before and after
	pos, lead   int     // position of ids[0]; tokens before the chunk
	n           int     // tokens in the chunk
	first       int     // index in the segment of the chunk's first token
	offset, end int64   // bytes of text [offset, end) that the chunk covers
	line        int     // newlines before offset
	last        bool
}

// chunker cuts a text's tokens into tasks, tokenising as it goes.
type chunker struct {
	m     *Model
	part  *plan
	size  int // tokens a chunk
	text  []byte
	fed   int     // bytes of text tokenised
	ids   []int32 // tokens [start, start+len(ids)) of the segment
	start int

	first  int // where the next chunk begins
	offset int64
	line   int
}

// newChunker starts after the tokens of p's text that are already read.
func newChunker(m *Model, p *plan, size int) (*chunker, error) {
	c := &chunker{m: m, part: p, size: size, text: p.text, ids: []int32{tokenizer.BOS}}
	for c.first < p.resume {
		c.fill(size)
		n := min(p.resume-c.first, c.start+len(c.ids)-c.first)
		if n == 0 {
			return nil, fmt.Errorf("engine: %s: %d tokens are stored of %d in the text", p.source, p.resume, c.first)
		}
		c.advance(n)
	}
	return c, nil
}

// next returns the next task; false after the last.
func (c *chunker) next() (task, bool) {
	if c.first > 0 && c.fed == len(c.text) && c.first == c.start+len(c.ids) {
		return task{}, false
	}
	ahead := c.m.net.Lookahead()
	// One token more than a chunk needs tells whether it is the last.
	c.fill(c.size + max(ahead, 1))
	have := c.start + len(c.ids) - c.first
	t := task{part: c.part, n: min(c.size, have), first: c.first, offset: c.offset, line: c.line}
	t.pos = max(0, c.first-c.m.net.Lead())
	t.lead = c.first - t.pos
	t.last = t.n == have && c.fed == len(c.text)
	to := min(c.first+t.n+ahead, c.start+len(c.ids))
	t.ids = append(t.ids, c.ids[t.pos-c.start:to-c.start]...)
	c.advance(t.n)
	t.end = c.offset
	return t, true
}

// fill tokenises until n tokens from first on are there, or the text ends.
func (c *chunker) fill(n int) {
	for c.start+len(c.ids)-c.first < n && c.fed < len(c.text) {
		end := pieceEnd(c.text, c.fed, pieceBytes)
		c.ids = c.m.tok.Encode(c.ids, c.text[c.fed:end])
		c.fed = end
	}
}

// advance moves first over n tokens and forgets what no chunk will need.
func (c *chunker) advance(n int) {
	at := c.first - c.start
	end := c.offset
	for _, id := range c.ids[at : at+n] {
		end += int64(c.m.width[id])
	}
	c.line += countLines(c.text[c.offset:end])
	c.offset = end
	c.first += n
	// Half at a time: a text of one long line is tokenised at once, and moving
	// all of it for every chunk would take time squared.
	if drop := c.first - c.m.net.Lead() - c.start; drop > len(c.ids)/2 {
		c.ids = c.ids[:copy(c.ids, c.ids[drop:])]
		c.start += drop
	}
}

var newline = []byte("\n")

// pieceEnd returns the end, size or more bytes after from, of a piece of text
// whose tokens do not depend on what follows: a line that the next one does not
// continue by indentation. A text without such lines is one piece.
func pieceEnd(text []byte, from, size int) int {
	for i := from + size; i < len(text); i++ {
		nl := bytes.IndexByte(text[i:], '\n')
		if nl < 0 {
			break
		}
		i += nl
		if i+1 < len(text) && text[i+1] != ' ' && text[i+1] != '\t' {
			return i + 1
		}
	}
	return len(text)
}
