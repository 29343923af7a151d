package engine

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"github.com/handscroll/handscroll/internal/encoder"
	"github.com/handscroll/handscroll/internal/kvcache"
	"github.com/handscroll/handscroll/internal/media"
)

// sensing is how far an interrupted Read had come in a film or sound: what was read,
// seen and heard up to then. It lies beside a stored context until a Read comes to
// its end; docs/formats.md describes the file.
type sensing struct {
	Model  string         `json:"model"` // fingerprint
	Source string         `json:"source"`
	Hash   [32]byte       `json:"hash"`
	Frames []sensedFrame  `json:"frames"`
	Seen   []runShape     `json:"seen"`  // whole chunks
	Heard  []runShape     `json:"heard"` // whole chunks
	Words  []encoder.Word `json:"words"` // that begin before chunk From
	From   int            `json:"from"`  // chunk of sound whose words are to be heard
	seen   []kvcache.Run
	heard  []kvcache.Run
}

type sensedFrame struct {
	At   time.Duration `json:"at"`
	Text string        `json:"text"`
}

// runShape is [N, DK, DV].
type runShape [3]int

func shapes(runs []kvcache.Run) (out []runShape) {
	for _, r := range runs {
		out = append(out, runShape{r.N, r.DK, r.DV})
	}
	return out
}

const (
	sensingMagic = "HSSENSE1"
	// saveEvery is how often what was perceived is saved, if saving takes no more
	// than a twentieth of the time.
	saveEvery = 30 * time.Second
)

// encode writes the magic, a SHA-256 of the rest, the length of a header of JSON, the
// header, and the numbers of the runs.
func (s *sensing) encode() ([]byte, error) {
	s.Seen, s.Heard = shapes(s.seen), shapes(s.heard)
	head, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	out := append([]byte(sensingMagic), make([]byte, sha256.Size)...)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(head)))
	out = append(out, head...)
	for _, runs := range [][]kvcache.Run{s.seen, s.heard} {
		for _, r := range runs {
			out = append(out, r.K...)
			out = append(out, unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(r.V))), len(r.V))...)
			for _, scale := range [][]float32{r.KScale, r.VScale} {
				if out, err = binary.Append(out, binary.LittleEndian, scale); err != nil {
					return nil, err
				}
			}
		}
	}
	sum := sha256.Sum256(out[len(sensingMagic)+sha256.Size:])
	copy(out[len(sensingMagic):], sum[:])
	return out, nil
}

var errSensing = errors.New("not a whole file of what was perceived")

func decodeSensing(b []byte) (*sensing, error) {
	rest, ok := bytes.CutPrefix(b, []byte(sensingMagic))
	if !ok || len(rest) < sha256.Size+4 || sha256.Sum256(rest[sha256.Size:]) != [32]byte(rest[:sha256.Size]) {
		return nil, errSensing
	}
	rest = rest[sha256.Size:]
	n := int(binary.LittleEndian.Uint32(rest))
	if rest = rest[4:]; n > len(rest) {
		return nil, errSensing
	}
	s := new(sensing)
	if err := json.Unmarshal(rest[:n], s); err != nil {
		return nil, fmt.Errorf("%w: %w", errSensing, err)
	}
	rest = rest[n:]
	take := func(shapes []runShape) (runs []kvcache.Run, err error) {
		for _, v := range shapes {
			n, dk, dv := v[0], v[1], v[2]
			const most = 1 << 24
			if n < 0 || dk < 0 || dv < 0 || n > most || dk > most || dv > most || n*(dk+dv+8) > len(rest) {
				return nil, errSensing
			}
			r := kvcache.NewRun(n, dk, dv)
			rest = rest[copy(r.K, rest):]
			rest = rest[copy(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(r.V))), len(r.V)), rest):]
			for _, scale := range [][]float32{r.KScale, r.VScale} {
				used, err := binary.Decode(rest, binary.LittleEndian, scale)
				if err != nil {
					return nil, fmt.Errorf("%w: %w", errSensing, err)
				}
				rest = rest[used:]
			}
			runs = append(runs, r)
		}
		return runs, nil
	}
	var err error
	if s.seen, err = take(s.Seen); err != nil {
		return nil, err
	}
	if s.heard, err = take(s.Heard); err != nil {
		return nil, err
	}
	if s.From < 0 || s.From > len(s.heard) || len(rest) > 0 {
		return nil, errSensing
	}
	return s, nil
}

// sensingName is a part's, beside a stored context.
func sensingName(part *media.Part) string { return fmt.Sprintf("%x", part.Hash[:8]) }

// resumed returns what is there already of a part, nothing if nothing is or if it is
// damaged: then the part is perceived from its beginning.
func (c *Context) resumed(part *media.Part) *sensing {
	none := new(sensing)
	store, ok := c.pages.(*kvcache.Store)
	if !ok {
		return none
	}
	b, err := store.ReadAside(sensingName(part))
	if err != nil {
		return none
	}
	s, err := decodeSensing(b)
	if err != nil || s.Model != c.model.Fingerprint() || s.Source != part.Source || s.Hash != part.Hash {
		return none
	}
	return s
}

// forgetSensing removes what is there of parts once a Read has come to its end.
func (c *Context) forgetSensing() error {
	if store, ok := c.pages.(*kvcache.Store); ok {
		return store.DropAside()
	}
	return nil
}

// sofar is what has been perceived without a gap.
func (p *perceiver) sofar(c *Context, part *media.Part) *sensing {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := &sensing{Model: c.model.Fingerprint(), Source: part.Source, Hash: part.Hash}
	for _, f := range p.frames {
		if !f.done {
			break
		}
		s.Frames = append(s.Frames, sensedFrame{f.at, f.text})
	}
	first := func(n int, runs map[int]kvcache.Run) (out []kvcache.Run) {
		for r, ok := runs[0]; ok && len(out) < n; r, ok = runs[len(out)] {
			out = append(out, r)
		}
		return out
	}
	s.seen = first(p.scenes.whole, p.scenes.runs)
	s.heard = first(p.sound.whole, p.sound.runs)
	s.From = min(p.sound.settled/hearFrames, len(s.heard))
	for _, w := range p.sound.words {
		if w.From < s.From*hearFrames {
			s.Words = append(s.Words, w)
		}
	}
	return s
}

// save writes what has been perceived, if the context is stored.
func (p *perceiver) save(c *Context, part *media.Part) error {
	store, ok := c.pages.(*kvcache.Store)
	if !ok {
		return nil
	}
	b, err := p.sofar(c, part).encode()
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	return store.WriteAside(sensingName(part), b)
}
