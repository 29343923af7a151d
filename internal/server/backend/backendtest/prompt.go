package backendtest

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/server/backend"
)

// mediaLength is how long every film and recording is.
const mediaLength = 10 * time.Second

// unit is what a prompt is made of: a word, or a piece of media.
type unit struct {
	key    string
	tokens int
	kind   backend.Modality
}

// source is what evidence can name.
type source struct {
	name   string
	kind   backend.Modality
	data   []byte
	tokens int
}

type prompt struct {
	model    backend.Model
	units    []unit
	sources  []source
	usage    backend.Usage
	skipped  backend.Skipped
	question string
}

func kindOf(mime string) backend.Modality {
	switch family, _, _ := strings.Cut(mime, "/"); {
	case mime == "application/pdf":
		return backend.Document
	case family == "image":
		return backend.Image
	case family == "video":
		return backend.Video
	case family == "audio":
		return backend.Audio
	}
	return backend.Text
}

// prompt turns a request into units, or says what is wrong with it.
func (f *Fake) prompt(r *backend.Request) (*prompt, error) {
	model, err := f.Model(r.Model)
	if err != nil {
		return nil, err
	}
	p := &prompt{model: model}
	p.usage.ByKind, p.usage.CachedBy = make(map[backend.Modality]int), make(map[backend.Modality]int)
	if r.Context != "" {
		f.mu.Lock()
		c, err := f.held(r.Owner, r.Context)
		f.mu.Unlock()
		if err != nil {
			return nil, err
		}
		if c.Model != r.Model {
			return nil, &backend.Error{Kind: backend.Invalid, Param: "model", Message: fmt.Sprintf("cached content %q was made with model %q, not %q", c.ID, c.Model, r.Model)}
		}
		p.units, p.sources, p.skipped = slices.Clone(c.prompt), slices.Clone(c.sources), c.Skipped
	}
	p.words(r.System)
	for _, t := range r.Tools {
		p.words(t.Name + " " + t.Description)
	}
	for i, m := range r.Messages {
		for j, part := range m.Parts {
			if err := f.part(p, r.Owner, part, fmt.Sprintf("messages[%d].parts[%d]", i, j)); err != nil {
				return nil, err
			}
		}
		for _, c := range m.Calls {
			p.words(c.Name + " " + string(c.Arguments))
		}
		if m.Role == backend.User {
			p.question = textOf(m)
		}
	}
	for _, u := range p.units {
		p.usage.Prompt += u.tokens
		p.usage.ByKind[u.kind] += u.tokens
	}
	if p.usage.Prompt > model.InputLimit {
		return nil, backend.Errorf(backend.TooLong, "the prompt has %d tokens; model %q takes %d", p.usage.Prompt, model.ID, model.InputLimit)
	}
	return p, nil
}

func textOf(m backend.Message) string {
	var b strings.Builder
	for _, p := range m.Parts {
		b.WriteString(p.Text)
	}
	return b.String()
}

func (p *prompt) words(text string) {
	for _, w := range strings.Fields(text) {
		p.units = append(p.units, unit{w, 1, backend.Text})
	}
}

// part adds one part of a message.
func (f *Fake) part(p *prompt, owner string, part backend.Part, where string) error {
	data, name, mime := part.Data, part.Name, part.MIME
	switch {
	case part.File != "":
		f.mu.Lock()
		defer f.mu.Unlock()
		x, err := f.file(owner, part.File)
		if err != nil {
			return err
		}
		if x.State != backend.FileActive {
			return &backend.Error{Kind: backend.Precondition, Param: where, Message: fmt.Sprintf("file %q is %s: %s", x.ID, x.State, cmp.Or(x.Reason, "ask again later"))}
		}
		data, name, mime = f.files[key{owner, part.File}].data, cmp.Or(x.Name, x.ID), x.MIME
	case part.Data == nil:
		p.words(part.Text)
		return nil
	}
	s := source{name: cmp.Or(name, fmt.Sprintf("part-%d", len(p.sources)+1)), kind: kindOf(mime), data: data}
	if !slices.Contains(p.model.Media, s.kind) {
		return &backend.Error{Kind: backend.Unsupported, Param: where, Message: fmt.Sprintf("model %q takes no %s (%s)", p.model.ID, s.kind, mime)}
	}
	if strings.Contains(s.name, "partly") {
		p.skipped.Add(handscroll.Skipped{Source: s.name + "/a.bin", Reason: "binary"}, handscroll.Skipped{Source: s.name + "/b.zip", Reason: "encrypted"})
	}
	length := mediaLength
	if part.End > 0 {
		length = part.End - part.Start
	} else {
		length -= part.Start
	}
	switch s.kind {
	case backend.Text:
		s.tokens = len(strings.Fields(string(data)))
		p.words(string(data))
	case backend.Video:
		s.tokens = int(300 * length.Seconds() * cmp.Or(part.FPS, 1))
	case backend.Audio:
		s.tokens = int(25 * length.Seconds())
	default:
		s.tokens = 258
	}
	if s.kind != backend.Text {
		p.units = append(p.units, unit{fmt.Sprintf("%x", sha256.Sum256(data)), s.tokens, s.kind})
	}
	p.sources = append(p.sources, s)
	return nil
}

// cache says how much of the prompt was read before, and remembers it as read. The
// last unit is always read: an answer goes on from it.
func (f *Fake) cache(r *backend.Request, p *prompt) {
	f.mu.Lock()
	defer f.mu.Unlock()
	same := 0
	if c := f.stored[key{r.Owner, r.Context}]; c != nil {
		same = len(c.prompt)
	}
	who := r.Owner + "\x00" + r.Model
	for _, old := range f.read[who] {
		n := 0
		for n < min(len(old), len(p.units)) && old[n] == p.units[n] {
			n++
		}
		same = max(same, n)
	}
	for _, u := range p.units[:min(same, max(len(p.units)-1, 0))] {
		p.usage.Cached += u.tokens
		p.usage.CachedBy[u.kind] += u.tokens
	}
	f.read[who] = append(f.read[who], p.units)
	f.stats.ReadTokens += int64(p.usage.Prompt - p.usage.Cached)
	f.stats.CachedTokens += int64(p.usage.Cached)
	if p.usage.Cached > 0 {
		f.stats.PrefixHits++
	} else {
		f.stats.PrefixMisses++
	}
}
