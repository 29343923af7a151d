package backend

import (
	"encoding/json"
	"time"

	"github.com/handscroll/handscroll"
)

// Request asks a model for an answer.
type Request struct {
	Model string // an ID of [Backend.Models]; a leading "models/" is the family's to strip
	Owner string // of the key that asks; files and contexts of others do not exist for it
	// Context names a stored context that the messages go on from; "" is none.
	Context  string
	System   string
	Messages []Message

	Tools      []Tool
	ToolChoice ToolChoice

	Sampling handscroll.Sampling // MaxTokens 0 is the model's own limit
	Count    int                 // of answers; 0 is 1
	Logprobs int                 // of the likeliest tokens at each place; −1 is none, 0 the chosen one's alone
	// Raw says that the only message's text is a text to go on with, not a turn of a
	// conversation (the completions of OpenAI's API). Echo puts it before the answer,
	// with its probabilities if Logprobs asks for them.
	Raw, Echo bool
	// Progress asks for events while the prompt is read.
	Progress bool
}

// Role says whose words a message is.
type Role string

// The roles there are.
const (
	User      Role = "user"
	Assistant Role = "assistant"
	ToolRole  Role = "tool" // the result of a call
)

// Message is one turn.
type Message struct {
	Role  Role
	Parts []Part
	Calls []Call // of an assistant
	// CallID and Name are those of the call that a tool's message answers.
	CallID, Name string
}

// Part is a piece of a message: Text, a stored file, or data. Exactly one of Text,
// File and Data is set; an empty Text part may be left out.
type Part struct {
	Text string
	File string // ID of a stored file
	Data []byte // its content decides what it is
	Name string // that evidence names Data by; "" has one made up
	MIME string // what the client says of Data; for messages alone
	// Of films and recordings.
	FPS        float64
	Start, End time.Duration
}

// Tool is a function that a model may ask to be called.
type Tool struct {
	Name, Description string
	Parameters        json.RawMessage // JSON schema of its arguments; nil for none
}

// ToolChoice is whether tools must be called.
type ToolChoice struct {
	Mode ToolMode
	Only []string // names that are allowed; nil are all
}

// ToolMode is one of the modes.
type ToolMode string

// The modes there are.
const (
	ToolAuto ToolMode = ""     // the model decides
	ToolAny  ToolMode = "any"  // it must call one
	ToolNone ToolMode = "none" // it must not
)

// Call is a function call that a model asks for.
type Call struct {
	ID        string
	Name      string
	Arguments json.RawMessage // an object
}

// Event is what happens before a response is whole: exactly one field is set.
type Event struct {
	Progress *Progress
	Delta    *Delta
}

// Progress is how far reading the prompt has come.
type Progress struct {
	Tokens, Total int     // Total is 0 where it is not known yet
	Cached        int     // of Tokens, that did not have to be read
	Source        string  // that is being read
	Fraction      float64 // 0 to 1
	Rate          float64 // tokens a second
	Left          time.Duration
	Waiting       bool // the request has not been started yet
}

// Delta is a further piece of an answer.
type Delta struct {
	Index  int // of the answer, below Count
	Text   string
	Tokens []Token // of the piece, if Logprobs asks for them
}

// Token is a token with its probability.
type Token struct {
	handscroll.Token
	Top []handscroll.Token
}

// Finish is why an answer ended.
type Finish string

// The reasons there are.
const (
	FinishStop   Finish = "stop"
	FinishLength Finish = "length"
	FinishCalls  Finish = "calls"
)

// Response is what a model says.
type Response struct {
	ID      string // of the response, unique
	Model   string
	Created time.Time
	Choices []Choice
	Usage   Usage
	Skipped Skipped // of the prompt, what its stored context holds included
}

// Choice is one answer.
type Choice struct {
	Text     string
	Calls    []Call
	Finish   Finish
	Tokens   []Token // if Logprobs asks for them; with Echo those of the prompt first
	Found    bool    // false if the answer is that the context does not say
	Evidence []handscroll.Evidence
}

// Modality is a kind of tokens.
type Modality string

// The modalities there are, by the names of Gemini's API.
const (
	Text     Modality = "TEXT"
	Image    Modality = "IMAGE"
	Video    Modality = "VIDEO"
	Audio    Modality = "AUDIO"
	Document Modality = "DOCUMENT"
)

// Usage counts tokens.
type Usage struct {
	Prompt   int              // those of a stored context and cached ones included
	Cached   int              // of Prompt, that did not have to be read
	Answer   int              // of all answers
	ByKind   map[Modality]int // of Prompt
	CachedBy map[Modality]int // of Cached
}

// Model describes a model.
type Model struct {
	ID          string // as clients name it: lower case, digits, '-' and '.'
	Name        string
	Description string
	Native      bool // of the module's own architecture: eyes, ears, evidence
	InputLimit  int  // tokens
	OutputLimit int
	Created     time.Time
	Media       []Modality // that it takes, Text among them
	Embeds      bool
	EmbedDims   int
}

// FileState is how far a stored file has come.
type FileState string

// The states there are.
const (
	FileProcessing FileState = "PROCESSING"
	FileActive     FileState = "ACTIVE"
	FileFailed     FileState = "FAILED"
)

// File is a stored file. It belongs to its owner.
type File struct {
	ID       string // lower-case letters and digits, and '-' where a client chose it
	Owner    string
	Name     string // as the client says; never a path here
	MIME     string // found in its content where that says it, else as the client says
	Purpose  string // of OpenAI's API
	Size     int64
	SHA256   [32]byte
	Created  time.Time
	Updated  time.Time
	Expires  time.Time // zero for never
	State    FileState
	Reason   string        // why it failed
	Duration time.Duration // of a film or recording
}

// Stored is a stored context. It belongs to its owner.
type Stored struct {
	ID      string // letters, digits and '-'
	Owner   string
	Model   string
	Name    string // that the client shows
	Created time.Time
	Updated time.Time
	Expires time.Time // zero for never
	Tokens  int
	ByKind  map[Modality]int
	Sources []handscroll.Source
	Skipped Skipped
}

// NewStored is what a context is made of.
type NewStored struct {
	Model, Owner, Name string
	System             string
	Messages           []Message
	Tools              []Tool
	ToolChoice         ToolChoice
	TTL                time.Duration // 0 is the server's default; negative is never
}

// Upload is a file whose content is on its way. It belongs to its owner.
type Upload struct {
	ID    string
	Owner string
	Size  int64 // received so far
	Total int64 // as announced, −1 if it was not
	Done  bool
}

// NewUpload announces a file.
type NewUpload struct {
	Owner, Name, MIME, Purpose string
	ID                         string // that the client asks for; "" has one made up
	Size                       int64  // −1 if it is not known
	// TTL is how long the file lives; 0 is the server's default, negative is for ever.
	TTL time.Duration
}
