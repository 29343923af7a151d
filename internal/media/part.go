package media

import (
	"context"
	"fmt"
	"io"
	"time"
)

// Kind is what a part consists of.
type Kind uint8

const (
	// Text is characters, with marks of the pages and times they come from.
	Text Kind = iota
	// Picture is one frame.
	Picture
	// Sound is samples.
	Sound
	// Film is frames in time, with the sound that goes with them if there is any.
	Film
)

func (k Kind) String() string {
	return [...]string{"text", "picture", "sound", "film"}[k]
}

// Part is one piece of a context.
type Part struct {
	Source string // the file, "-" for standard input, "archive/member", or "file#page=3" for a picture of a page
	Kind   Kind
	Text   []byte // of Kind Text
	Marks  []Mark // of Text, with ascending offsets
	Page   int    // of a Picture that is a document's page, from 1; 0 for none

	// Format is the name of the format that decoded the part; "" if none did.
	Format string
	// What headers say: the sides of a Picture, 0 if they do not, the frames a second
	// that a Film is read with, and whether it has no sound.
	W, H   int
	FPS    float64
	Silent bool

	// Hash identifies the content of other kinds than Text: the SHA-256 of the
	// file and of whatever else decides what Open yields (frame rate, start, end,
	// page).
	Hash [32]byte
	// Duration is that of a Sound or Film, 0 if it is not known before reading.
	Duration time.Duration
	// Open begins to decode other kinds than Text. It may be called more than once.
	Open func(ctx context.Context) (Stream, error)
}

// Mark says where a stretch of a text comes from: from Offset to the next mark.
type Mark struct {
	Offset int64
	Page   int           // of a document, slide of a talk or cell of a notebook, from 1; 0 for none
	Time   time.Duration // of a subtitle, −1 for none
}

// Stream decodes a Picture, Sound or Film piece by piece, in the order of time.
// It belongs to one goroutine.
type Stream interface {
	// Next returns the next chunk, or io.EOF after the last one. What it returns is
	// valid until the next call.
	Next() (Chunk, error)
	Close() error
}

// Chunk is a moment of a stream: a frame, sound, or both.
type Chunk struct {
	At    time.Duration // since the beginning of the source
	Frame *Image        // nil if the chunk is of sound alone
	Sound []float32     // mono samples at SampleRate, in [−1, 1], from At on
}

// SampleRate is what all sound is resampled to, in samples a second.
const SampleRate = 16000

// Image is a frame of 8-bit sRGB, rows from the top, [H, W, 3].
type Image struct {
	W, H int
	Pix  []byte
}

// NewImage returns a black image.
func NewImage(w, h int) *Image { return &Image{W: w, H: h, Pix: make([]byte, 3*w*h)} }

// File is what a format decodes.
type File struct {
	Name string // as it is shown: the Part's Source
	Path string // on disk; "" for members of archives and standard input
	Size int64
	Head []byte // the first SniffBytes, or all
	io.ReaderAt
}

// Bytes reads a whole file.
func (f *File) Bytes() ([]byte, error) {
	b := make([]byte, f.Size)
	if n, err := f.ReadAt(b, 0); n < len(b) {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return b, nil
}

// Text reads a whole file of text, or fails with a [*SizeError] if it is longer
// than l allows.
func (f *File) Text(l Limits) ([]byte, error) {
	if f.Size > l.Text {
		return nil, &SizeError{Bytes: f.Size, Max: l.Text}
	}
	return f.Bytes()
}

// Limits bound what one file may cost, however it is made up. Zero fields mean
// the defaults.
type Limits struct {
	Text   int64         // bytes of text out of one file
	Pixels int64         // of one picture, before it is made smaller
	Pages  int           // of one document
	Depth  int           // of nested containers and elements
	Stall  time.Duration // that a decoder outside the process may be silent
	// Frames a second taken from films, the stretch of a film or sound that is
	// read, and whether key frames alone are decoded.
	FPS        float64
	Start, End time.Duration // End 0 is the end
	KeyFrames  bool
	// MaxSide is what a film's frames are reduced to: their height, and 16/9 of it
	// for their width. Pictures are reduced to PictureSide on their longer side.
	MaxSide     int
	PictureSide int
}

// WithDefaults fills in zero fields.
func (l Limits) WithDefaults() Limits {
	set := func(v *int64, d int64) {
		if *v == 0 {
			*v = d
		}
	}
	set(&l.Text, 1<<30)
	set(&l.Pixels, 200<<20)
	if l.Pages == 0 {
		l.Pages = 20000
	}
	if l.Depth == 0 {
		l.Depth = 64
	}
	if l.Stall == 0 {
		l.Stall = 30 * time.Second
	}
	if l.FPS == 0 {
		l.FPS = 1
	}
	if l.MaxSide == 0 {
		l.MaxSide = 180
	}
	if l.PictureSide == 0 {
		l.PictureSide = 1600
	}
	return l
}

// Format is one kind of file.
type Format struct {
	Name string
	// Match reports whether a file of this name that begins with head (at most
	// [SniffBytes]) has this format. Content decides; a name may only decide
	// between formats that look the same.
	Match func(name string, head []byte) bool
	// Decode turns a file into parts. It may read f only until it returns, unless
	// f.Path is set: then the file can be opened again. Its errors need not name
	// the file. Text beyond l.Text is a [*SizeError].
	Decode func(ctx context.Context, f *File, l Limits) ([]Part, error)
}

// SniffBytes is how much of a file's beginning decides its format.
const SniffBytes = 8000

// Sniff returns the first of formats that matches.
func Sniff(formats []Format, name string, head []byte) (Format, bool) {
	head = head[:min(len(head), SniffBytes)]
	for _, f := range formats {
		if f.Match(name, head) {
			return f, true
		}
	}
	return Format{}, false
}

// Skipped is a file that was found but not read, and why.
type Skipped struct {
	Source string
	Reason string
}

func (s Skipped) String() string { return s.Source + ": " + s.Reason }

// reasons for skipping.
const (
	reasonBinary    = "binary file"
	reasonEmpty     = "empty file"
	reasonGenerated = "generated file"
	reasonIgnored   = "ignored by .gitignore"
	reasonNested    = "archive inside an archive"
	reasonReplaced  = "replaced further on in the archive"
	reasonVendored  = "packages of others"
)

// SizeError says that what was named holds more than the caller allows.
type SizeError struct {
	Source string // the file that was too much
	Bytes  int64  // found so far
	Max    int64
}

func (e *SizeError) Error() string {
	source := ""
	if e.Source != "" {
		source = e.Source + ": "
	}
	return fmt.Sprintf("media: %smore than %d bytes of text; %d are allowed", source, e.Bytes, e.Max)
}
