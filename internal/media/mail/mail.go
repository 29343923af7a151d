package mail

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"regexp"

	"github.com/handscroll/handscroll/internal/media"
	"github.com/handscroll/handscroll/internal/media/markdown"
)

// Format returns the format of mail.
func Format() media.Format {
	return media.Format{Name: "mail", Match: Match, Decode: decode}
}

var (
	// from is the line before each message of an archive: an address and a date.
	from = regexp.MustCompile(`^From \S+ .*\d{4}`)
	// field is a line of a header, or one that continues it.
	field = regexp.MustCompile(`^(?:[A-Za-z][A-Za-z0-9-]*:|[ \t]+\S)`)
	known = regexp.MustCompile(`(?i)^(from|to|subject|date|received|return-path|delivered-to|message-id|mime-version|content-type|reply-to|x-[a-z-]+):`)
)

// Match reports whether a file begins with a message: the line of an archive, or
// a header that has From and three other fields that mail has.
func Match(_ string, head []byte) bool {
	if bytes.IndexByte(head, 0) >= 0 {
		return false
	}
	archive := from.Match(head)
	sender, fields := false, 0
	for i, line := range bytes.Split(head, []byte("\n")) {
		line = bytes.TrimRight(line, "\r")
		if i == 0 && archive {
			continue
		}
		if len(line) == 0 || !field.Match(line) {
			break
		}
		if m := known.FindSubmatch(line); m != nil {
			fields++
			sender = sender || bytes.EqualFold(m[1], []byte("from"))
		}
	}
	return archive && fields > 0 || sender && fields >= 4
}

func decode(ctx context.Context, f *media.File, l media.Limits) ([]media.Part, error) {
	w := markdown.New(l)
	m := &archive{ctx: ctx, r: bufio.NewReaderSize(io.NewSectionReader(f, 0, f.Size), 1<<16)}
	single := !from.Match(f.Head)
	for n := 1; m.next(single); n++ {
		w.Paragraph()
		w.Mark(n)
		d := decoder{ctx: ctx, w: w, depth: l.Depth}
		d.message(m)
		if w.Err() != nil || ctx.Err() != nil {
			return nil, errors.Join(w.Err(), ctx.Err())
		}
	}
	if m.err != nil && m.err != io.EOF {
		return nil, m.err
	}
	p, err := w.Part(f.Name)
	if err != nil {
		return nil, err
	}
	if len(p.Text) == 0 {
		return nil, errors.New("mail without a header or text")
	}
	return []media.Part{p}, nil
}

// archive reads the messages of a file, one after another.
type archive struct {
	ctx    context.Context
	r      *bufio.Reader
	err    error  // of r; none comes after it
	single bool   // the file is one message
	begun  bool   // a message was read
	line   []byte // of the message, not read yet
	blank  bool   // the line before was blank: a message may end
	cont   bool   // the line goes on the one before, which was long
	ended  bool   // the next message begins
}

// next goes to the next message, past what is left of this one.
func (m *archive) next(single bool) bool {
	m.single = single
	if m.begun {
		if _, err := io.Copy(io.Discard, m); err != nil {
			return false
		}
	}
	if !m.begun && !single { // past the line before the first
		m.read()
	}
	m.begun, m.ended, m.line, m.blank = true, false, nil, false
	if _, err := m.r.Peek(1); err != nil && m.err == nil {
		m.err = err
	}
	return m.err == nil
}

// read fetches a line, or a piece of a long one.
func (m *archive) read() {
	if m.err != nil {
		return
	}
	if m.err = m.ctx.Err(); m.err != nil {
		return
	}
	line, err := m.r.ReadSlice('\n')
	long := errors.Is(err, bufio.ErrBufferFull)
	if err != nil && !long {
		m.err = err
	}
	if len(line) == 0 {
		return
	}
	start := !m.cont
	m.cont = long
	switch {
	case m.single:
	case start && m.blank && from.Match(line):
		m.ended = true
		return
	case start && line[0] == '>' && quoted.Match(line):
		line = line[1:]
	}
	m.blank = start && len(bytes.TrimRight(line, "\r\n")) == 0
	m.line = line
}

// quoted is a line of a body that an archive keeps from looking like the line
// before a message.
var quoted = regexp.MustCompile(`^>+From `)

// Read reads the message up to its end.
func (m *archive) Read(p []byte) (int, error) {
	for len(m.line) == 0 {
		switch {
		case m.ended:
			return 0, io.EOF
		case m.err != nil:
			return 0, m.err
		}
		m.read()
	}
	n := copy(p, m.line)
	m.line = m.line[n:]
	return n, nil
}
