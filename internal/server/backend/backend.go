package backend

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
)

// Backend is what API families ask. Errors are [*Error], or those of a context that
// is done. All lists are newest first.
type Backend interface {
	// Models lists the models that are served; the first is the default.
	Models() []Model
	// Model finds one by ID. An unknown one is NotFound, and the error lists those
	// that are known.
	Model(id string) (Model, error)

	// Generate answers. It calls emit with events, one at a time and in order, before
	// it returns the whole response; if emit fails, it stops and returns that error.
	// emit may be nil. Cancelling ctx stops reading and answering.
	Generate(ctx context.Context, r *Request, emit func(Event) error) (*Response, error)
	// Count counts a request's tokens without reading it.
	Count(ctx context.Context, r *Request) (*Usage, error)
	// Embed returns a unit vector for each text.
	Embed(ctx context.Context, model string, texts []string, dims int) ([][]float32, *Usage, error)

	// Begin announces an upload; Append adds what is at offset of it, which must be
	// its size so far, else the error is Conflict and says which is right. Finish
	// makes a file of it. An upload that nothing is added to for an hour is deleted. An
	// error of r comes back as it is, or wrapped if it is no [*Error].
	Begin(ctx context.Context, u NewUpload) (*Upload, error)
	Append(ctx context.Context, owner, id string, offset int64, r io.Reader) (*Upload, error)
	Upload(ctx context.Context, owner, id string) (*Upload, error)
	Finish(ctx context.Context, owner, id string) (*File, error)

	File(ctx context.Context, owner, id string) (*File, error)
	Files(ctx context.Context, owner string) ([]File, error)
	// Content opens a stored file.
	Content(ctx context.Context, owner, id string) (io.ReadSeekCloser, error)
	// DeleteFile deletes a file, or gives up an upload that is not finished, by its ID.
	DeleteFile(ctx context.Context, owner, id string) error

	// Store reads messages into a stored context; emit may be nil.
	Store(ctx context.Context, s NewStored, emit func(Event) error) (*Stored, error)
	Stored(ctx context.Context, owner, id string) (*Stored, error)
	StoredList(ctx context.Context, owner string) ([]Stored, error)
	// Extend sets when a context expires; zero is never.
	Extend(ctx context.Context, owner, id string, expires time.Time) (*Stored, error)
	DeleteStored(ctx context.Context, owner, id string) error

	// Stats are for metrics; cheap.
	Stats() Stats
}

// Kind is what kind of error it is.
type Kind int

// The kinds of errors, with the status codes of Gemini's API.
const (
	Invalid      Kind = iota // 400: the request makes no sense; Param says where
	Precondition             // 400: it makes sense, but not now: a file still processing
	TooLong                  // 400: the prompt is longer than the context; the message has both counts
	Unauthorized             // 401
	Forbidden                // 403
	NotFound                 // 404: unknown, expired or another key's
	TooSlow                  // 408: the request's body did not come in time
	Conflict                 // 409: an upload's offset, an ID that is taken
	TooLarge                 // 413: a body, part or file over its limit, or a prompt that memory never has room for
	Unsupported              // 415 in OpenAI's, 400 in Gemini's API: a type of part that the model does not take
	Busy                     // 429: queue or a key's limit; RetryAfter says when
	Internal                 // 500
	Unavailable              // 503: shutting down, no memory, no disk
	Deadline                 // 504
)

// Error is why a request failed. Its message may be shown to the client: it has no
// path of this machine.
type Error struct {
	Kind       Kind
	Message    string
	Param      string        // the field that is wrong, as in "contents[0].parts[1]"; may be empty
	RetryAfter time.Duration // of Busy and Unavailable
	Err        error         // for logs
}

func (e *Error) Error() string { return e.Message }
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an error of a kind.
func Errorf(k Kind, format string, args ...any) *Error {
	e := &Error{Kind: k}
	err := fmt.Errorf(format, args...)
	e.Message = err.Error()
	if u, ok := err.(interface{ Unwrap() error }); ok {
		e.Err = u.Unwrap()
	}
	return e
}

// NoEmbeddings is the error of a model that makes none; it says which do.
func NoEmbeddings(id string, models []Model) *Error {
	var able []string
	for i := range models {
		if models[i].Embeds {
			able = append(able, models[i].ID)
		}
	}
	hint := "no model that is served does: serve open weights for that (--model NAME=FILE)"
	if len(able) > 0 {
		hint = "ask one that does: " + strings.Join(able, ", ")
	}
	e := Errorf(Invalid, "the model %s makes no embeddings; %s", id, hint)
	e.Param = "model"
	return e
}

// Purposer is a Backend that can be told later what an upload is for: OpenAI's SDKs
// send a file's purpose after its content. It is called before Finish.
type Purposer interface {
	SetPurpose(ctx context.Context, owner, upload, purpose string) error
}
