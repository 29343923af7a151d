package openai

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/url"
	"path"
	"strings"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// translator turns what a request says into messages; it remembers the sources that
// it met, so that evidence can name them as the client did.
type translator struct {
	h     *handler
	ctx   context.Context
	owner string
	files []source
	where []string // in the body, of each message; empty for one of an earlier response
	// names are what the body calls fields that backends have other names for.
	names map[string]string
}

// Where the names of a backend's fields are not those of chat completions.
var (
	chatNames     = map[string]string{"cachedContent": "cached_content"}
	responseNames = map[string]string{"cachedContent": "cached_content", "messages": "input", "response_format": "text.format"}
)

// located says where in the body something is wrong that a backend found.
func (t *translator) located(err error) error {
	var e *backend.Error
	if !errors.As(err, &e) {
		return err
	}
	moved := *e
	var i int
	if name, known := t.names[e.Param]; known {
		moved.Param = name
	} else if _, scanErr := fmt.Sscanf(e.Param, "messages[%d]", &i); scanErr == nil && i >= 0 && i < len(t.where) {
		moved.Param = t.where[i]
	} else {
		return err
	}
	return &moved
}

// source is something of a request that evidence may name.
type source struct {
	name string // as evidence says it
	id   string // of a stored file
	url  string // that it was fetched from
}

// wirePart is a part of a message, in the form of chat completions or responses.
type wirePart struct {
	Type       string          `json:"type"`
	Text       *string         `json:"text"`
	Refusal    *string         `json:"refusal"`
	ImageURL   json.RawMessage `json:"image_url"`
	VideoURL   json.RawMessage `json:"video_url"`
	InputAudio *struct {
		Data   string `json:"data"`
		Format string `json:"format"`
	} `json:"input_audio"`
	File   *wireFilePart `json:"file"` // of chat completions
	Detail string        `json:"detail"`
	// Of responses, whose files stand in the part itself.
	FileID   string `json:"file_id"`
	FileData string `json:"file_data"`
	FileURL  string `json:"file_url"`
	Filename string `json:"filename"`
}

// wireFilePart is a file in a message.
type wireFilePart struct {
	FileID   string `json:"file_id"`
	FileData string `json:"file_data"`
	FileURL  string `json:"file_url"`
	Filename string `json:"filename"`
}

// takes says which parts a message may have.
type takes int

const (
	takesText  takes = iota // words alone
	takesMedia              // pictures, sound, films and files as well
)

// content translates a message's content: a string, or a list of parts.
func (t *translator) content(raw json.RawMessage, at string, may takes) ([]backend.Part, error) {
	var text string
	if len(raw) > 0 && raw[0] == '"' {
		if err := decode(raw, at, &text); err != nil {
			return nil, err
		}
		return textPart(text), nil
	}
	if len(raw) == 0 || raw[0] != '[' {
		return nil, invalid(at, "a string or a list of parts is wanted")
	}
	var list []json.RawMessage
	if err := decode(raw, at, &list); err != nil {
		return nil, err
	}
	var out []backend.Part
	for i, raw := range list {
		at := fmt.Sprintf("%s[%d]", at, i)
		var p wirePart
		if err := decode(raw, at, &p); err != nil {
			return nil, err
		}
		parts, err := t.part(&p, at, may)
		if err != nil {
			return nil, err
		}
		out = append(out, parts...)
	}
	return out, nil
}

// textPart is a text as parts: none if it is empty.
func textPart(s string) []backend.Part {
	if s == "" {
		return nil
	}
	return []backend.Part{{Text: s}}
}

func (t *translator) part(p *wirePart, at string, may takes) ([]backend.Part, error) {
	switch p.Type {
	case "text", "input_text", "output_text":
		if p.Text == nil {
			return nil, invalid(at+".text", "it is missing")
		}
		return textPart(*p.Text), nil
	case "refusal":
		if p.Refusal == nil {
			return nil, invalid(at+".refusal", "it is missing")
		}
		return textPart(*p.Refusal), nil
	}
	if may == takesText {
		return nil, &backend.Error{Kind: backend.Unsupported, Param: at + ".type",
			Message: fmt.Sprintf("%s.type: a part of type %q cannot stand in a message of this role: only text can", at, p.Type)}
	}
	one := func(part backend.Part, err error) ([]backend.Part, error) {
		if err != nil {
			return nil, err
		}
		return []backend.Part{part}, nil
	}
	switch p.Type {
	case "image_url", "input_image":
		if err := oneOf(at+".detail", p.Detail, "", "auto", "low", "high", "original"); err != nil {
			return nil, err
		}
		if p.FileID != "" {
			return one(t.stored(p.FileID, at+".file_id"))
		}
		return one(t.address(p.ImageURL, at+".image_url", "image/"))
	case "video_url", "input_video":
		if p.FileID != "" {
			return one(t.stored(p.FileID, at+".file_id"))
		}
		return one(t.address(p.VideoURL, at+".video_url", "video/"))
	case "input_audio":
		if p.InputAudio == nil {
			return nil, invalid(at+".input_audio", "it is missing")
		}
		part, err := t.data(p.InputAudio.Data, at+".input_audio.data")
		if err == nil && part.MIME == "" && p.InputAudio.Format != "" {
			part.MIME = "audio/" + strings.ToLower(p.InputAudio.Format)
		}
		return one(part, err)
	case "file":
		if p.File == nil {
			return nil, invalid(at+".file", "it is missing")
		}
		return one(t.file(p.File, at+".file"))
	case "input_file":
		return one(t.file(&wireFilePart{p.FileID, p.FileData, p.FileURL, p.Filename}, at))
	case "":
		return nil, invalid(at+".type", "it is missing")
	}
	return nil, &backend.Error{Kind: backend.Unsupported, Param: at + ".type",
		Message: fmt.Sprintf("%s.type: parts of type %q are not supported; text, image_url, input_audio, video_url and file are, in responses input_text, input_image, input_audio and input_file", at, p.Type)}
}

// file translates a file that is stored, sent along or to be fetched: one of them.
func (t *translator) file(f *wireFilePart, at string) (backend.Part, error) {
	n := 0
	for _, s := range []string{f.FileID, f.FileData, f.FileURL} {
		if s != "" {
			n++
		}
	}
	if n != 1 {
		return backend.Part{}, invalid(at, "exactly one of file_id, file_data and file_url is wanted")
	}
	switch {
	case f.FileID != "":
		return t.stored(f.FileID, at+".file_id")
	case f.FileURL != "":
		return t.link(f.FileURL, at+".file_url", "")
	}
	part, err := t.data(f.FileData, at+".file_data")
	if err != nil {
		return part, err
	}
	if part.Name = f.Filename; part.Name != "" {
		t.files = append(t.files, source{name: part.Name})
	}
	return part, nil
}

// stored finds a stored file, so that an unknown one is an error that names the
// field, and evidence can say its ID.
func (t *translator) stored(id, at string) (backend.Part, error) {
	id = strings.TrimPrefix(id, "files/")
	f, err := t.h.b.File(t.ctx, t.owner, id)
	if err != nil {
		return backend.Part{}, within(err, at)
	}
	t.files = append(t.files, source{name: f.Name, id: f.ID})
	return backend.Part{File: f.ID}, nil
}

// at1 names the field of an error that names none.
func within(err error, param string) error {
	e := asError(err)
	if e.Param != "" || e.Kind == backend.Internal {
		return err
	}
	named := *e
	named.Param = param
	named.Message = param + ": " + e.Message
	return &named
}

// address translates {"url": …}, or the address alone.
func (t *translator) address(raw json.RawMessage, at, kind string) (backend.Part, error) {
	var a struct {
		URL    string `json:"url"`
		Detail string `json:"detail"`
	}
	if isNull(raw) {
		return backend.Part{}, invalid(at, "it is missing")
	}
	if raw[0] == '"' {
		if err := decode(raw, at, &a.URL); err != nil {
			return backend.Part{}, err
		}
	} else {
		if err := decode(raw, at, &a); err != nil {
			return backend.Part{}, err
		}
		if err := oneOf(at+".detail", a.Detail, "", "auto", "low", "high", "original"); err != nil {
			return backend.Part{}, err
		}
		at += ".url"
	}
	return t.link(a.URL, at, kind)
}

// link translates a data URL, or fetches what is elsewhere if that is allowed.
func (t *translator) link(s, at, kind string) (backend.Part, error) {
	scheme, _, _ := strings.Cut(s, ":")
	switch strings.ToLower(scheme) {
	case "data":
		p, err := t.data(s, at)
		if err == nil && kind != "" && p.MIME != "" && !strings.HasPrefix(p.MIME, kind) && p.MIME != "application/octet-stream" {
			return p, &backend.Error{Kind: backend.Unsupported, Param: at,
				Message: fmt.Sprintf("%s: the data is said to be %s, and %s* is wanted", at, p.MIME, kind)}
		}
		return p, err
	case "http", "https":
		if !t.h.o.AllowRemote {
			return backend.Part{}, invalid(at, "this server does not fetch from other hosts: send a data URL, upload the file, or start the server with --allow-remote-urls")
		}
		data, typ, err := t.h.fetcher.fetch(t.ctx, s)
		if err != nil {
			return backend.Part{}, within(err, at)
		}
		src := source{url: s}
		if u, err := url.Parse(s); err == nil {
			src.name = path.Base(u.Path)
		}
		if strings.Trim(src.name, "./") == "" {
			src.name = s
		}
		t.files = append(t.files, src)
		return backend.Part{Data: data, Name: src.name, MIME: typ}, nil
	}
	return backend.Part{}, invalid(at, "a data, http or https URL is wanted")
}

// data decodes a data URL (RFC 2397), or base64 alone.
func (t *translator) data(s, at string) (backend.Part, error) {
	var p backend.Part
	isBase64 := true
	if rest, ok := cutScheme(s, "data:"); ok {
		head, body, ok := strings.Cut(rest, ",")
		if !ok {
			return p, invalid(at, "a data URL has a comma before its data")
		}
		head, isBase64 = strings.CutSuffix(head, ";base64")
		if typ, _, err := mime.ParseMediaType(head); err == nil {
			p.MIME = typ
		}
		s = body
	}
	if int64(len(s)) > t.h.o.MaxPart/3*4+4 {
		return p, t.tooLarge(at)
	}
	var err error
	if isBase64 {
		p.Data, err = decodeBase64(s)
	} else {
		s, err = url.PathUnescape(s)
		p.Data = []byte(s)
	}
	switch {
	case err != nil:
		return p, invalid(at, "the data cannot be decoded: %v", err)
	case len(p.Data) == 0:
		return p, invalid(at, "there is no data")
	case int64(len(p.Data)) > t.h.o.MaxPart:
		return p, t.tooLarge(at)
	}
	return p, nil
}

func (t *translator) tooLarge(at string) error {
	return &backend.Error{Kind: backend.TooLarge, Param: at,
		Message: fmt.Sprintf("%s: a part has at most %d bytes; upload it as a file", at, t.h.o.MaxPart)}
}

func cutScheme(s, scheme string) (string, bool) {
	if len(s) < len(scheme) || !strings.EqualFold(s[:len(scheme)], scheme) {
		return s, false
	}
	return s[len(scheme):], true
}

// decodeBase64 takes the standard and the URL-safe alphabet, with padding or without,
// broken into lines or not.
func decodeBase64(s string) ([]byte, error) {
	src := []byte(s)
	out := src[:0]
	for _, c := range src {
		switch c {
		case '-':
			c = '+'
		case '_':
			c = '/'
		case '\r', '\n', ' ', '\t':
			continue
		}
		out = append(out, c)
	}
	out = bytes.TrimRight(out, "=")
	n, err := base64.RawStdEncoding.Decode(out, out)
	return out[:n], err
}

// oneOf checks a field that is one of a few words.
func oneOf(param, s string, words ...string) error {
	var known []string
	for _, w := range words {
		if s == w {
			return nil
		}
		if w != "" {
			known = append(known, w)
		}
	}
	return invalid(param, "%q is not one of %s", s, strings.Join(known, ", "))
}
