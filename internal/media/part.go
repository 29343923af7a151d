package media

import "fmt"

// Part is one piece of a context.
type Part struct {
	Source string // the file, "-" for standard input, or "archive/member"
	Text   []byte
}

// Format is one kind of file.
type Format struct {
	Name string
	// Match reports whether a file of this name that begins with head (at most
	// [SniffBytes]) has this format.
	Match func(name string, head []byte) bool
	// Decode turns a file's bytes into parts.
	Decode func(name string, data []byte) ([]Part, error)
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
	reasonBinary = "binary file"
	reasonEmpty  = "empty file"
)

// SizeError says that what was named holds more than the caller allows.
type SizeError struct {
	Bytes int64 // found so far
	Max   int64
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("media: more than %d bytes of text; %d are allowed", e.Bytes, e.Max)
}
