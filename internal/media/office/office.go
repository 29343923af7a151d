package office

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"golang.org/x/net/html/charset"

	"github.com/handscroll/handscroll/internal/media"
	"github.com/handscroll/handscroll/internal/media/markdown"
)

const (
	// maxUnpacked bounds what is unpacked of one document.
	maxUnpacked = 1 << 29
	// maxRatio is how many times its size a document may unpack to, beyond
	// maxSmall bytes. XML of a real document shrinks to a fiftieth at most.
	maxRatio = 200
	maxSmall = 10 << 20
	// depthFactor is how many elements one level of a document takes: a table's
	// are its own, its row's, its cell's and the paragraph's.
	depthFactor = 4
)

// Format returns the format of office documents and electronic books.
func Format() media.Format {
	return media.Format{Name: "office", Match: Match, Decode: decode}
}

// ole begins the files of Office before 2007, and encrypted ones of today.
const ole = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

// Match reports whether a file is a zip archive, which the caller knows to be one
// document, or an Office file of the older kind.
func Match(_ string, head []byte) bool {
	return bytes.HasPrefix(head, []byte("PK\x03\x04")) || bytes.HasPrefix(head, []byte(ole))
}

func decode(ctx context.Context, f *media.File, l media.Limits) ([]media.Part, error) {
	if bytes.HasPrefix(f.Head, []byte(ole)) {
		return nil, errors.New("an Office file that is encrypted or of before 2007: save it without a password as .docx, .pptx, .xlsx or .pdf and try again")
	}
	z, err := zip.NewReader(f, f.Size)
	if err != nil {
		return nil, fmt.Errorf("damaged: %w", err)
	}
	p := &pack{ctx: ctx, limits: l, w: markdown.New(l), files: map[string]*zip.File{}}
	p.left = min(maxUnpacked, max(maxSmall, maxRatio*f.Size))
	for _, f := range z.File {
		p.files[f.Name] = f
	}
	if err := p.write(); err != nil {
		return nil, err
	}
	part, err := p.w.Part(f.Name)
	if err != nil {
		return nil, err
	}
	if len(part.Text) == 0 {
		return nil, errors.New("a document without text")
	}
	return []media.Part{part}, nil
}

// pack is an open package.
type pack struct {
	ctx    context.Context
	limits media.Limits
	w      *markdown.Writer
	files  map[string]*zip.File
	left   int64 // bytes that may still be unpacked
}

// write finds out what a package holds, by its files, and writes it.
func (p *pack) write() error {
	switch {
	case p.has("META-INF/container.xml"):
		return p.epub()
	case p.has("[Content_Types].xml"):
		return p.openXML()
	case p.has("content.xml"):
		return p.openDocument()
	}
	return errors.New("a zip package of an unknown kind")
}

// openXML writes a document of Microsoft's format, told by its first element.
func (p *pack) openXML() error {
	rels, err := p.rels("")
	if err != nil {
		return err
	}
	main := ""
	for _, r := range rels {
		if strings.HasSuffix(r.kind, "/officeDocument") {
			main = r.target
		}
	}
	if main == "" {
		return errors.New("a package without a document")
	}
	kind := ""
	err = p.elements(main, func(e *element) error {
		if kind = e.name; kind != "" {
			return io.EOF
		}
		return nil
	})
	if err != nil {
		return err
	}
	switch kind {
	case "document":
		return p.docx(main)
	case "presentation":
		return p.pptx(main)
	case "workbook":
		return p.xlsx(main)
	}
	return fmt.Errorf("%s: a document of an unknown kind", main)
}

func (p *pack) has(name string) bool { return p.files[name] != nil }

// relation is what one part of a package says of another.
type relation struct{ id, kind, target string }

// rels returns the relations of a part, or of the package if name is empty.
func (p *pack) rels(name string) ([]relation, error) {
	dir, base := path.Split(name)
	file := dir + "_rels/" + base + ".rels"
	if !p.has(file) {
		return nil, nil
	}
	var out []relation
	err := p.elements(file, func(e *element) error {
		if e.start && e.name == "Relationship" && e.attr("TargetMode") != "External" {
			out = append(out, relation{e.attr("Id"), e.attr("Type"), resolve(name, e.attr("Target"))})
		}
		return nil
	})
	return out, err
}

// resolve returns the name of the part that target is, as seen from a part.
func resolve(from, target string) string {
	if strings.HasPrefix(target, "/") {
		return path.Clean(target)[1:]
	}
	return path.Join(path.Dir(from), target)
}

// unpacked counts what is unpacked.
type unpacked struct {
	r io.Reader
	p *pack
}

var errBomb = errors.New("unpacks to far more than a document of its size holds")

func (u unpacked) Read(b []byte) (int, error) {
	if err := u.p.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := u.r.Read(b)
	if u.p.left -= int64(n); u.p.left < 0 {
		return 0, errBomb
	}
	return n, err
}

// open begins to unpack a part.
func (p *pack) open(name string) (io.ReadCloser, error) {
	f := p.files[name]
	if f == nil {
		return nil, fmt.Errorf("%s is missing", name)
	}
	if f.UncompressedSize64 > uint64(max(p.left, 0)) {
		return nil, fmt.Errorf("%s: %w", name, errBomb)
	}
	if f.Flags&1 != 0 {
		return nil, fmt.Errorf("%s is encrypted", name)
	}
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return struct {
		io.Reader
		io.Closer
	}{unpacked{r, p}, r}, nil
}

// element is the start or the end of an element, or text. Names come without
// their namespace.
type element struct {
	start, end bool
	name       string   // of the element, or of the one that a text is in
	path       []string // of the elements around, outermost first
	text       string
	attrs      []xml.Attr
}

// attr returns the value of an attribute, whatever its namespace, or "".
func (e *element) attr(name string) string {
	for _, a := range e.attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// within reports whether one of the elements around has a name.
func (e *element) within(name string) bool { return slices.Contains(e.path, name) }

// parent is the element around.
func (e *element) parent() string {
	if len(e.path) == 0 {
		return ""
	}
	return e.path[len(e.path)-1]
}

// elements calls visit with everything in an XML part, in order. visit ends it by
// io.EOF.
func (p *pack) elements(name string, visit func(*element) error) error {
	r, err := p.open(name)
	if err != nil {
		return err
	}
	defer r.Close()
	d := xml.NewDecoder(r)
	d.CharsetReader = charset.NewReaderLabel
	e := &element{}
	for {
		// Raw tokens are not checked to match, which is done here with a bound.
		t, err := d.RawToken()
		if errors.Is(err, io.EOF) && len(e.path) > 0 {
			err = io.ErrUnexpectedEOF
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			if len(e.path) >= depthFactor*p.limits.Depth {
				return fmt.Errorf("%s: elements nested more than %d deep", name, len(e.path))
			}
			e.start, e.end, e.name, e.text, e.attrs = true, false, t.Name.Local, "", t.Attr
			err = visit(e)
			e.path = append(e.path, t.Name.Local)
		case xml.EndElement:
			if len(e.path) == 0 || e.path[len(e.path)-1] != t.Name.Local {
				return fmt.Errorf("%s: </%s> ends nothing", name, t.Name.Local)
			}
			e.path = e.path[:len(e.path)-1]
			e.start, e.end, e.name, e.text, e.attrs = false, true, t.Name.Local, "", nil
			err = visit(e)
		case xml.CharData:
			if len(e.path) == 0 {
				continue
			}
			e.start, e.end, e.name, e.text, e.attrs = false, false, e.path[len(e.path)-1], string(t), nil
			err = visit(e)
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case p.w.Err() != nil:
			return p.w.Err()
		}
	}
}
