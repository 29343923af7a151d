package mail

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/textproto"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"

	"github.com/handscroll/handscroll/internal/media/html"
	"github.com/handscroll/handscroll/internal/media/markdown"
)

const (
	maxHeader = 1 << 20 // bytes of one header
	maxParts  = 1000    // of one message
	maxPage   = 1 << 26 // bytes of HTML
)

// shown are the fields that are written, in this order.
var shown = []string{"From", "To", "Cc", "Date", "Subject"}

// decoder writes one message.
type decoder struct {
	ctx   context.Context
	w     *markdown.Writer
	depth int // of parts in parts that is left
	parts int // so far
}

// message writes a message. What is damaged in it is said in the text: the
// messages after it are as good as ever.
func (d *decoder) message(r io.Reader) {
	br := bufio.NewReader(r)
	header, err := readHeader(br)
	if err == nil {
		for _, name := range shown {
			if v := header.Get(name); v != "" {
				d.w.Line()
				d.w.Text(name + ": " + word(v))
			}
		}
		d.w.Paragraph()
		err = d.body(header, br)
	}
	if err != nil && d.ctx.Err() == nil && d.w.Err() == nil {
		d.w.Paragraph()
		d.w.Text("(The rest of this message is damaged: " + err.Error() + ")")
	}
}

// readHeader reads up to the first blank line. Lines that are none of a header
// are passed over.
func readHeader(r *bufio.Reader) (textproto.MIMEHeader, error) {
	h := textproto.MIMEHeader{}
	name, value, size := "", "", 0
	flush := func() {
		if name != "" {
			h.Add(name, value)
		}
		name = ""
	}
	for {
		line, err := r.ReadString('\n')
		if size += len(line); size > maxHeader {
			return nil, fmt.Errorf("a header of more than %d bytes", maxHeader)
		}
		text := strings.TrimRight(line, "\r\n")
		key, rest, ok := strings.Cut(text, ":")
		switch {
		case text == "":
		case text[0] == ' ' || text[0] == '\t':
			value += " " + strings.TrimSpace(text)
		case ok && !strings.ContainsAny(key, " \t"):
			flush()
			name, value = key, strings.TrimSpace(rest)
		}
		if text == "" || errors.Is(err, io.EOF) {
			flush()
			return h, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

var words = mime.WordDecoder{CharsetReader: charset.NewReaderLabel}

// word decodes a field. What is not encoded as it should be stays as it is.
func word(s string) string {
	if d, err := words.DecodeHeader(s); err == nil {
		return d
	}
	return s
}

// body writes what a header stands before.
func (d *decoder) body(h textproto.MIMEHeader, r io.Reader) error {
	if d.parts++; d.parts > maxParts {
		return fmt.Errorf("more than %d parts", maxParts)
	}
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		kind, params = "text/plain", nil // as if it had none
	}
	disposition, about, err := mime.ParseMediaType(h.Get("Content-Disposition"))
	if err != nil {
		disposition = ""
	}
	switch {
	case strings.HasPrefix(kind, "multipart/") && params["boundary"] != "":
		return d.multipart(kind, params["boundary"], r)
	case disposition == "attachment" || !strings.HasPrefix(kind, "text/") && kind != "message/rfc822":
		name := about["filename"]
		if name == "" {
			name = params["name"]
		}
		d.w.Paragraph()
		d.w.Text(fmt.Sprintf("(Attachment: %s %s)", word(name), kind))
		return nil
	}
	r = transfer(h.Get("Content-Transfer-Encoding"), r)
	if kind == "message/rfc822" {
		if d.depth == 0 {
			return errors.New("messages nested too deeply")
		}
		d.depth--
		d.w.Paragraph()
		d.message(r)
		d.depth++
		return nil
	}
	return d.text(kind, params["charset"], h.Get("Content-Type"), r)
}

// transfer undoes an encoding for transfer.
func transfer(encoding string, r io.Reader) io.Reader {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "base64":
		return base64.NewDecoder(base64.StdEncoding, r)
	case "quoted-printable":
		return quotedprintable.NewReader(r)
	}
	return r
}

func (d *decoder) multipart(kind, boundary string, r io.Reader) error {
	if d.depth == 0 {
		return errors.New("parts nested too deeply")
	}
	d.depth--
	defer func() { d.depth++ }()
	m := multipart.NewReader(r, boundary)
	for done := false; ; {
		p, err := m.NextRawPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if done {
			continue // the same again in another form
		}
		before := d.w.Len()
		if err := d.body(p.Header, p); err != nil {
			return err
		}
		done = kind == "multipart/alternative" && d.w.Len() > before
	}
}

// text writes a body of text, as far as it can be decoded.
func (d *decoder) text(kind, label, contentType string, r io.Reader) error {
	if kind == "text/html" {
		data, err := io.ReadAll(io.LimitReader(r, maxPage+1))
		if len(data) > maxPage {
			return fmt.Errorf("a page of more than %d bytes", maxPage)
		}
		page, bad := html.Decode(data, contentType)
		if bad == nil {
			bad = html.Render(d.ctx, d.w, page)
		}
		return errors.Join(err, bad)
	}
	data, err := io.ReadAll(io.LimitReader(r, d.w.Left()+1))
	text := string(data)
	if e, name := charset.Lookup(label); e != nil && name != "utf-8" {
		if s, err := e.NewDecoder().String(text); err == nil {
			text = s
		}
	} else if !utf8.ValidString(text) && label == "" {
		e, _ := charset.Lookup("windows-1252")
		if s, err := e.NewDecoder().String(text); err == nil {
			text = s
		}
	}
	d.w.Paragraph()
	d.w.Verbatim(strings.Trim(strings.ReplaceAll(text, "\r\n", "\n"), "\n"))
	d.w.Paragraph()
	return err
}
