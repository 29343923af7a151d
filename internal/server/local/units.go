package local

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/server/backend"
)

// unit is a piece of a prompt that is read by itself.
type unit struct {
	key   string // what it is, whoever asks
	name  string // what evidence calls it
	param string // the field of the request that it comes from
	size  int64  // bytes, as they are stored
	// Exactly one of text, data and file says what it holds.
	text []byte
	data []byte
	path string // of a file's content, which the request holds
	part backend.Part
	// stored is the ID of the stored context that it is of, and owner whose; that has
	// neither of the three.
	stored, owner string

	// Once it is opened.
	parts   []handscroll.Part
	skipped backend.Skipped
}

// prompt is a request of the native model: what is read, and what is asked.
type prompt struct {
	units    []*unit
	question string
	close    []func() // what is held for the units
}

func (p *prompt) release() {
	for _, f := range p.close {
		f()
	}
	p.close = nil
}

// prompter makes units of messages.
type prompter struct {
	b     *Backend
	m     *model
	owner string
	p     *prompt
	names map[string]string // key of the unit that has a name
	made  map[string]int    // names that were made up
	turns int               // messages so far, those of a stored context included
}

func (b *Backend) newPrompter(m *model, owner string) *prompter {
	return &prompter{b: b, m: m, owner: owner, p: &prompt{}, names: map[string]string{}, made: map[string]int{}}
}

// messages adds all that messages hold. It leaves out the part at of message last, if
// that is not negative, which is the question.
func (pr *prompter) messages(ctx context.Context, list []backend.Message, last, at int) error {
	for i := range list {
		msg := &list[i]
		pr.turns++
		base := fmt.Sprintf("message %d", pr.turns)
		switch msg.Role {
		case backend.User:
		case backend.Assistant:
			base += " (answer)"
		case backend.ToolRole:
			base += " (result of " + msg.Name + ")"
		default:
			return &backend.Error{Kind: backend.Invalid, Message: fmt.Sprintf("the role %q is not known", msg.Role), Param: fmt.Sprintf("messages[%d].role", i)}
		}
		for j := range msg.Parts {
			if i == last && j == at {
				continue
			}
			if err := pr.part(ctx, &msg.Parts[j], base, fmt.Sprintf("messages[%d].parts[%d]", i, j)); err != nil {
				return err
			}
		}
		for j, c := range msg.Calls {
			pr.text(fmt.Sprintf("%s(%s)", c.Name, c.Arguments), base, fmt.Sprintf("messages[%d].calls[%d]", i, j))
		}
	}
	return nil
}

func (pr *prompter) part(ctx context.Context, p *backend.Part, base, param string) error {
	switch {
	case p.FPS < 0 || p.FPS > maxFPS || p.FPS != p.FPS:
		return &backend.Error{Kind: backend.Invalid, Message: fmt.Sprintf("%v frames a second: want more than 0 and at most %d", p.FPS, maxFPS), Param: param}
	case p.Start < 0 || p.End < 0 || p.End > 0 && p.End <= p.Start:
		return &backend.Error{Kind: backend.Invalid, Message: fmt.Sprintf("a stretch from %v to %v: it ends before it begins", p.Start, p.End), Param: param}
	case p.File != "":
		f, path, release, err := pr.b.files.wait(ctx, pr.owner, p.File)
		if err != nil {
			return withParam(err, param)
		}
		pr.p.close = append(pr.p.close, release)
		u := &unit{name: label(&f), path: path, part: *p, param: param, size: f.Size}
		pr.add(u, "file", f.SHA256)
	case len(p.Data) > 0:
		u := &unit{name: cmp.Or(p.Name, pr.madeUp(p.Data)), data: p.Data, part: *p, param: param, size: int64(len(p.Data))}
		pr.add(u, "file", sha256.Sum256(p.Data))
	case p.Text != "":
		pr.text(p.Text, base, param)
	case p.Data != nil:
		return &backend.Error{Kind: backend.Invalid, Message: "the part is empty", Param: param}
	}
	return nil
}

// text adds a text, unless there is nothing to be read in it.
func (pr *prompter) text(s, name, param string) {
	if strings.TrimSpace(s) == "" {
		return
	}
	u := &unit{name: name, text: []byte(s), param: param, size: int64(len(s))}
	pr.add(u, "text", sha256.Sum256(u.text))
}

// madeUp is a name for data that has none, by what it is.
func (pr *prompter) madeUp(data []byte) string {
	kind, sub, _ := strings.Cut(http.DetectContentType(data), "/")
	sub, _, _ = strings.Cut(strings.TrimPrefix(sub, "x-"), ";")
	switch kind {
	case "image", "video", "audio":
	default:
		kind = "file"
	}
	switch sub {
	case "plain":
		sub = "txt"
	case "octet-stream":
		sub = "bin"
	}
	pr.made[kind]++
	return fmt.Sprintf("%s %d.%s", kind, pr.made[kind], sub)
}

const (
	maxFPS  = 60
	maxName = 255 // bytes of a name that evidence shows
)

// add gives a unit its key and a name that no other has.
func (pr *prompter) add(u *unit, kind string, content [32]byte) {
	if len(u.name) > maxName {
		u.name = strings.ToValidUTF8(u.name[:maxName], "")
	}
	name := u.name
	for n := 2; ; n++ {
		u.key = pr.key(u, kind, content)
		had, taken := pr.names[u.name]
		if taken && had == u.key {
			return // the same again
		}
		if !taken {
			break
		}
		ext := filepath.Ext(name)
		u.name = fmt.Sprintf("%s (%d)%s", strings.TrimSuffix(name, ext), n, ext)
	}
	pr.names[u.name] = u.key
	pr.p.units = append(pr.p.units, u)
}

// key is what a unit is. The owner is of it: how fast an answer comes must not tell
// one client what another has read.
func (pr *prompter) key(u *unit, kind string, content [32]byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "1 %s %s %q %q %x %v %d %d", pr.m.fingerprint, kind, pr.owner, u.name, content, u.part.FPS, u.part.Start, u.part.End)
	return hex.EncodeToString(h.Sum(nil)[:20])
}

// open decodes a unit as far as that is done before it is read. What it returns must
// be called when it has been read.
func (u *unit) open(ctx context.Context, b *Backend) (release func(), err error) {
	release = func() {}
	if u.text != nil {
		u.parts = []handscroll.Part{{Source: u.name, Text: u.text}}
		return release, nil
	}
	path := u.path
	if u.data == nil && path == "" {
		if _, err := b.stored.find(u.owner, u.stored); err != nil {
			return nil, err // deleted meanwhile
		}
		return nil, lostContext(u.stored)
	}
	if u.data != nil {
		path = filepath.Join(b.opts.Dir, "tmp", random())
		if err := os.WriteFile(path, u.data, 0o600); err != nil {
			os.Remove(path)
			return nil, b.diskError("keeping the data of a part", err)
		}
		release = func() {
			if err := os.Remove(path); err != nil {
				b.log.Error("deleting data", "err", err)
			}
		}
	}
	parts, skipped, err := handscroll.Files(ctx, []string{path}, handscroll.FileOptions{
		Name: u.name, FPS: u.part.FPS, Start: u.part.Start, End: u.part.End,
	})
	if err == nil && len(parts) == 0 {
		err = unreadable(u.name, skipped)
	}
	if err != nil {
		release()
		if ctx.Err() != nil {
			return nil, ended(ctx.Err())
		}
		return nil, &backend.Error{Kind: backend.Unsupported, Message: clean(err, path, u.name), Param: u.param, Err: err}
	}
	u.parts = parts
	u.skip(b, path, skipped)
	return release, nil
}

// skip notes what was left out of a unit. The log has no names: they are content.
func (u *unit) skip(b *Backend, path string, skipped []handscroll.Skipped) {
	u.skipped = backend.Skipped{}
	if len(skipped) == 0 {
		return
	}
	b.log.Warn("a file was not read whole", "parts", len(u.parts), "skipped", len(skipped))
	u.skipped.Add(skipped...)
	for i, s := range u.skipped.Files {
		u.skipped.Files[i] = handscroll.Skipped{Source: strings.ReplaceAll(s.Source, path, u.name), Reason: strings.ReplaceAll(s.Reason, path, u.name)}
	}
}

// long reports whether reading a unit takes time.
func (u *unit) long() bool {
	return u.text == nil && !strings.HasPrefix(http.DetectContentType(u.head()), "text/")
}

func (u *unit) head() []byte {
	if u.data != nil {
		return u.data[:min(len(u.data), 512)]
	}
	f, err := os.Open(u.path)
	if err != nil {
		return nil // opening it will say so
	}
	defer f.Close()
	head := make([]byte, 512)
	n, _ := f.Read(head)
	return head[:n]
}

// modality is what a source's tokens count as, those that were heard aside.
func modality(p *handscroll.Part) backend.Modality {
	s := p.Shape()
	switch {
	case p.Kind() == handscroll.Film:
		return backend.Video
	case p.Kind() == handscroll.Sound:
		return backend.Audio
	case s.Page > 0, s.Format == "pdf", s.Format == "office":
		return backend.Document
	case p.Kind() == handscroll.Picture:
		return backend.Image
	}
	return backend.Text
}

func withParam(err error, param string) error {
	if e, ok := err.(*backend.Error); ok && e.Param == "" {
		e.Param = param
	}
	return err
}

// split cuts a text that is all there is into what is read and the question: its last
// paragraph, or its first where that alone asks, or its last sentence.
func split(text string) (rest, question string) {
	text = strings.TrimSpace(text)
	body := text
	// "Answer:" and the like at the end ask nothing.
	if at := strings.LastIndexByte(body, '\n'); at > 0 && len(body)-at < 20 && strings.HasSuffix(body, ":") {
		body = strings.TrimRight(body[:at], " \t\r\n")
	}
	at := strings.LastIndexByte(body, '\n') + 1
	first, _, _ := strings.Cut(body, "\n")
	switch {
	case at > 0 && !strings.Contains(body[at:], "?") && len(first) <= maxQuestion && strings.HasSuffix(strings.TrimSpace(first), "?"):
		return strings.TrimLeft(body[len(first):], "\r\n"), strings.TrimSpace(first)
	case at > 0 && len(body)-at <= maxQuestion:
		return body[:at], strings.TrimSpace(body[at:])
	}
	for i := len(body) - 2; i > at; i-- {
		if strings.IndexByte(".!?:", body[i]) >= 0 && strings.IndexByte(" \t", body[i+1]) >= 0 {
			at = i + 1
			break
		}
	}
	return body[:at], strings.TrimSpace(body[at:])
}

// maxQuestion is how many bytes a last paragraph may have to be the question.
const maxQuestion = 600
