package render

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gobolditalic"
	"golang.org/x/image/font/gofont/goitalic"
	"golang.org/x/image/font/gofont/gomedium"
	"golang.org/x/image/font/gofont/gomediumitalic"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/gomonobold"
	"golang.org/x/image/font/gofont/gomonobolditalic"
	"golang.org/x/image/font/gofont/gomonoitalic"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/gofont/gosmallcaps"
	"golang.org/x/image/font/gofont/gosmallcapsitalic"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// Face is the outlines of one font file, scaled so that capitals are 1 high.
type Face struct {
	Name   string // the file's base name
	Family string // as the font says
	// Ascent and Descent reach from the baseline to the top of the highest and the
	// bottom of the lowest printable character of ASCII.
	Ascent, Descent float32
	ascii           [95]outline
	more            map[rune]outline
	noLower         bool // lower case looks like upper case
}

type outline struct {
	segs    sfnt.Segments // in units of 1/64 of 1/unit
	unit    float32       // what a number of segs means, in cap heights
	advance float32
}

// extra are the characters beyond ASCII that texts have where a font has them.
const extra = "“”‘’–—•…£€°×é"

// glyph returns the outline of r, or of what stands for it, and the character it
// shows.
func (f *Face) glyph(r rune) (*outline, rune) {
	if r >= ' ' && r <= '~' {
		return &f.ascii[r-' '], r
	}
	if g, ok := f.more[r]; ok {
		return &g, r
	}
	for _, other := range []struct{ odd, plain string }{{"“”", "\""}, {"‘’", "'"}, {"–—", "-"}, {"×", "x"}, {"é", "e"}} {
		if strings.ContainsRune(other.odd, r) {
			plain := rune(other.plain[0])
			return &f.ascii[plain-' '], plain
		}
	}
	return &f.ascii['*'-' '], '*'
}

// Fonts is a set of faces, split into those to train with and those held out.
type Fonts struct {
	train, heldOut []*Face
}

// Train are the faces to train with, in the order of their names.
func (f *Fonts) Train() []*Face { return f.train }

// HeldOut are the faces to measure with, whole families, about one in five.
func (f *Fonts) HeldOut() []*Face { return f.heldOut }

var goFonts = map[string][]byte{
	"GoRegular": goregular.TTF, "GoBold": gobold.TTF, "GoItalic": goitalic.TTF, "GoBoldItalic": gobolditalic.TTF,
	"GoMedium": gomedium.TTF, "GoMediumItalic": gomediumitalic.TTF, "GoSmallcaps": gosmallcaps.TTF, "GoSmallcapsItalic": gosmallcapsitalic.TTF,
	"GoMono": gomono.TTF, "GoMonoBold": gomonobold.TTF, "GoMonoItalic": gomonoitalic.TTF, "GoMonoBoldItalic": gomonobolditalic.TTF,
}

// LoadFonts loads the Go fonts and those .ttf and .otf files, in the folders or
// files named, that have all of ASCII. Others are passed over: a folder of fonts
// always holds some of symbols or of other scripts.
func LoadFonts(paths ...string) (*Fonts, error) {
	faces := map[string]*Face{}
	for name, data := range goFonts {
		f, err := parseFace(name, data)
		if err != nil {
			return nil, err
		}
		faces[name] = f
	}
	for _, root := range paths {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			name := d.Name()
			if ext := strings.ToLower(filepath.Ext(name)); d.IsDir() || ext != ".ttf" && ext != ".otf" || unsuited(name) || faces[name] != nil {
				return nil
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if f, err := parseFace(name, data); err == nil {
				faces[name] = f
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("render: fonts: %w", err)
		}
	}
	out := &Fonts{}
	for _, f := range faces {
		if isHeldOut(f.Family) {
			out.heldOut = append(out.heldOut, f)
		} else {
			out.train = append(out.train, f)
		}
	}
	byName := func(a, b *Face) int { return strings.Compare(a.Name, b.Name) }
	slices.SortFunc(out.train, byName)
	slices.SortFunc(out.heldOut, byName)
	return out, nil
}

// isHeldOut hashes a family, not a file: a bold font says much about its regular
// sister.
func isHeldOut(family string) bool {
	h := fnv.New32a()
	h.Write([]byte(family))
	return h.Sum32()>>8%5 == 0
}

// unsuited are fonts with ASCII that isn't letters, or that people can't read
// when it is small.
func unsuited(name string) bool {
	for _, s := range []string{"Symbol", "Emoji", "Dingbat", "Music", "Math", "Braille", "Hairline", "Thin", "Biolinum_K", "Fallback", "Z003", "D050000L", "OCRBE", "alfa-beta", "elleboli", "ellenbold", "ellenike", "ellenita"} {
		if strings.Contains(name, s) {
			return true
		}
	}
	return false
}

func parseFace(name string, data []byte) (*Face, error) {
	font, err := sfnt.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("render: font %s: %w", name, err)
	}
	f := &Face{Name: name, more: map[rune]outline{}}
	if f.Family, err = font.Name(nil, sfnt.NameIDTypographicFamily); err != nil {
		if f.Family, err = font.Name(nil, sfnt.NameIDFamily); err != nil {
			return nil, fmt.Errorf("render: font %s: family: %w", name, err)
		}
	}
	ld := loader{font: font, ppem: fixed.I(int(font.UnitsPerEm()))}
	if err := ld.capHeight(); err != nil {
		return nil, fmt.Errorf("render: font %s: %w", name, err)
	}
	f.noLower = true
	for r := ' '; r <= '~'; r++ {
		o, top, bottom, err := ld.load(r)
		if err == nil && r != ' ' && len(o.segs) == 0 {
			err = errors.New("it is empty")
		}
		if err != nil {
			return nil, fmt.Errorf("render: font %s: %q: %w", name, r, err)
		}
		f.ascii[r-' '] = o
		if strings.ContainsRune("aemnx", r) && top < 0.9 {
			f.noLower = false
		}
		f.Ascent, f.Descent = max(f.Ascent, top), max(f.Descent, bottom)
	}
	for _, r := range extra {
		if o, _, _, err := ld.load(r); err == nil && len(o.segs) > 0 {
			f.more[r] = o
		}
	}
	return f, nil
}

// loader takes outlines out of a font.
type loader struct {
	font *sfnt.Font
	buf  sfnt.Buffer
	ppem fixed.Int26_6
	unit float32 // 1/64 of a font unit, in cap heights
}

// capHeight measures H: the tables of many fonts don't tell.
func (l *loader) capHeight() error {
	l.unit = 1
	_, top, _, err := l.load('H')
	if err == nil && top <= 0 {
		err = errors.New("capitals have no height")
	}
	l.unit = 1 / top
	return err
}

var errMissing = errors.New("no such character")

// load returns an outline and how far it reaches above and below the baseline.
func (l *loader) load(r rune) (o outline, top, bottom float32, err error) {
	i, err := l.font.GlyphIndex(&l.buf, r)
	if err == nil && i == 0 {
		err = errMissing
	}
	if err != nil {
		return o, 0, 0, err
	}
	segs, err := l.font.LoadGlyph(&l.buf, i, l.ppem, nil)
	if err != nil {
		return o, 0, 0, err
	}
	b := segs.Bounds()
	advance, err := l.font.GlyphAdvance(&l.buf, i, l.ppem, font.HintingNone)
	o = outline{slices.Clone(segs), l.unit, float32(advance) * l.unit}
	return o, -float32(b.Min.Y) * l.unit, float32(b.Max.Y) * l.unit, err
}
