package eval

import "context"

// A Model is what is being measured.
type Model interface {
	// ID names the model and its weights; a run is resumed only by the same ID.
	ID() string
	// NewBase returns an empty context to read a haystack into.
	NewBase() (Base, error)
}

// A Part is a stretch of text with a label saying where it came from.
type Part struct {
	Source string
	Text   []byte
}

// A Base holds a haystack that was read once, from which the trials are cut.
type Base interface {
	// Append reads one more part. progress, which may be nil, is told how many
	// tokens of the part have been read.
	Append(ctx context.Context, p Part, progress func(tokens int)) error
	// Tokens is the number of tokens read so far.
	Tokens() int
	// Text is the text of tokens [from, to), byte for byte.
	Text(from, to int) ([]byte, error)
	// Splice returns a context of the first length tokens with the inserts set
	// in. It equals a context that had read that text from scratch.
	Splice(ctx context.Context, length int, inserts []Insert) (Context, error)
	Close() error
}

// An Insert sets a text before the token At of a base.
type Insert struct {
	At   int
	Text string
}

// A Context answers questions about what it has read.
type Context interface {
	Ask(ctx context.Context, question string) (Answer, error)
	Tokens() int
	Close() error
}

// An Answer is what a model said.
type Answer struct {
	Text  string
	Found bool // false: the model says that the context does not hold it
	// Evidence is the strongest passage the model names; empty if none.
	Evidence Evidence
}

// Evidence is a passage of the context and where it stands.
type Evidence struct {
	Source string `json:"source,omitempty"`
	Line   int    `json:"line,omitempty"`
	Quote  string `json:"quote,omitempty"`
}
