package endpoint

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Error is what an endpoint answers instead of what was asked for.
type Error struct {
	Endpoint   string // its address
	Status     int    // of HTTP; 0 if the error came in the middle of an answer
	Code       string // the server's name for it, such as RESOURCE_EXHAUSTED; may be empty
	Param      string // the field of the request that is wrong; may be empty
	Message    string // the server's words
	RetryAfter time.Duration
	Tries      int // that were made

	prompt, limit int // tokens, where a prompt is too long and the server counts in fields
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "endpoint %s: ", e.Endpoint)
	if e.Status != 0 {
		fmt.Fprintf(&b, "%d ", e.Status)
	}
	b.WriteString(cmp.Or(e.Code, http.StatusText(e.Status), "error"))
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if e.Tries > 1 {
		fmt.Fprintf(&b, " (tried %d times)", e.Tries)
	}
	if e.RetryAfter > 0 {
		fmt.Fprintf(&b, "; it says to come back in %s", e.RetryAfter.Round(time.Second))
	}
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		b.WriteString("; is the key right? It is given by --endpoint-key or the environment")
	}
	return b.String()
}

// LongError: a prompt is longer than the model takes. Counts that nobody knows are 0.
type LongError struct {
	Prompt, Limit int // tokens
	Err           *Error
}

func (e *LongError) Error() string {
	return fmt.Sprintf("the prompt has %s tokens, the model takes %s: %v", count(e.Prompt), count(e.Limit), e.Err)
}

func (e *LongError) Unwrap() error { return e.Err }

func count(n int) string {
	if n == 0 {
		return "an unknown number of"
	}
	return strconv.Itoa(n)
}

// maxMessage bounds what of a server's words is shown, in bytes.
const maxMessage = 800

// fill reads the error out of a body: {"error": {…}} of both families, as an array
// or with a text in its place, {"message": …} of old vLLM, {"detail": …} of FastAPI,
// or whatever else stands there.
func (e *Error) fill(body []byte) {
	var doc struct {
		Error           json.RawMessage `json:"error"`
		Message, Detail json.RawMessage
	}
	body = []byte(strings.TrimSpace(string(body)))
	var list []json.RawMessage
	if json.Unmarshal(body, &list) == nil && len(list) > 0 {
		body = list[0]
	}
	if json.Unmarshal(body, &doc) != nil {
		e.Message = clean(string(body))
		return
	}
	var inner struct {
		Message string
		Status  string
		Code    json.RawMessage
		Type    string
		Param   string
		Details []struct {
			RetryDelay string
		}
		Prompt int `json:"n_prompt_tokens"`
		Limit  int `json:"n_ctx"`
	}
	switch {
	case doc.Error == nil:
		e.Message = clean(text(slices.Concat(doc.Message, doc.Detail)))
		if e.Message == "" {
			e.Message = clean(string(body))
		}
		return
	case json.Unmarshal(doc.Error, &inner) != nil:
		e.Message = clean(text(doc.Error))
		return
	}
	e.Message, e.Param = clean(inner.Message), inner.Param
	var code string
	// OpenAI's code is a text, Gemini's the status once more.
	_ = json.Unmarshal(inner.Code, &code)
	e.Code = cmp.Or(inner.Status, code, inner.Type)
	for _, d := range inner.Details {
		if wait, err := time.ParseDuration(d.RetryDelay); err == nil && e.RetryAfter == 0 {
			e.RetryAfter = max(wait, 0)
		}
	}
	e.prompt, e.limit = inner.Prompt, inner.Limit
}

// text is what a JSON value says: a text as it is, others as they are written.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// clean makes one line of a server's words.
func clean(s string) string {
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "�"), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
	if len(s) > maxMessage {
		s = strings.ToValidUTF8(s[:maxMessage], "") + "…"
	}
	return s
}

// The ways in which servers say that a prompt is too long, with or without counts:
// OpenAI and vLLM, SGLang, Gemini, llama-server and Handscroll.
var (
	longWords = regexp.MustCompile(`(?i)context[_ ](?:length|size|window)|exceeds? the (?:available|maximum)|input token count|too long|longer than|prompt has [\d,]+`)
	tokenWord = regexp.MustCompile(`(?i)token`)
	limitOf   = regexp.MustCompile(`(?i)(?:maximum|available|limit|context)[^.;\d]*(\d[\d,]+)`)
	numbers   = regexp.MustCompile(`\d[\d,]*\d|\d`)
)

// isLong reports whether an error says that the prompt is too long.
func (e *Error) isLong() bool {
	switch {
	case e.Status != http.StatusBadRequest && e.Status != http.StatusRequestEntityTooLarge && e.Status != 0 && e.Status != http.StatusUnprocessableEntity:
		return false
	case e.Code == "context_length_exceeded" || e.Code == "exceed_context_size_error":
		return true
	}
	return longWords.MatchString(e.Message) && tokenWord.MatchString(e.Message)
}

// long makes an error one with the counts that its words have.
func (e *Error) long() *LongError {
	out := &LongError{Err: e, Prompt: e.prompt, Limit: e.limit}
	if e.prompt > 0 && e.limit > 0 {
		return out
	}
	if m := limitOf.FindStringSubmatch(e.Message); m != nil {
		out.Limit = number(m[1])
	}
	// The prompt's is the largest number there that is more than the limit.
	for _, s := range numbers.FindAllString(e.Message, -1) {
		if n := number(s); n > out.Limit && out.Limit > 0 {
			out.Prompt = max(out.Prompt, n)
		}
	}
	return out
}

func number(s string) int {
	n, err := strconv.Atoi(strings.ReplaceAll(s, ",", ""))
	if err != nil {
		return 0 // more digits than an int has
	}
	return n
}
