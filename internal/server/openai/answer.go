package openai

import (
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/server/backend"
)

// wireUsage counts tokens, as completions of both kinds say it.
type wireUsage struct {
	Prompt        int           `json:"prompt_tokens"`
	Completion    int           `json:"completion_tokens"`
	Total         int           `json:"total_tokens"`
	PromptDetails promptDetails `json:"prompt_tokens_details"`
	Details       struct {
		Reasoning int `json:"reasoning_tokens"`
		Audio     int `json:"audio_tokens"`
		Accepted  int `json:"accepted_prediction_tokens"`
		Rejected  int `json:"rejected_prediction_tokens"`
	} `json:"completion_tokens_details"`
}

type promptDetails struct {
	Cached int `json:"cached_tokens"`
	Audio  int `json:"audio_tokens"`
	// The other kinds are not of OpenAI's API.
	Text     int `json:"text_tokens,omitempty"`
	Image    int `json:"image_tokens,omitempty"`
	Video    int `json:"video_tokens,omitempty"`
	Document int `json:"document_tokens,omitempty"`
}

func promptDetailsOf(u *backend.Usage) promptDetails {
	k := u.ByKind
	return promptDetails{u.Cached, k[backend.Audio], k[backend.Text], k[backend.Image], k[backend.Video], k[backend.Document]}
}

func usageOf(u *backend.Usage) *wireUsage {
	return &wireUsage{Prompt: u.Prompt, Completion: u.Answer, Total: u.Prompt + u.Answer, PromptDetails: promptDetailsOf(u)}
}

// add sums up the usage of several requests.
func add(to *backend.Usage, u *backend.Usage) {
	to.Prompt += u.Prompt
	to.Cached += u.Cached
	to.Answer += u.Answer
	for k, n := range u.ByKind {
		if to.ByKind == nil {
			to.ByKind = map[backend.Modality]int{}
		}
		to.ByKind[k] += n
	}
}

// wireEvidence is a passage that an answer rests on; no such thing is in OpenAI's API.
type wireEvidence struct {
	Source string   `json:"source"`
	FileID string   `json:"file_id,omitempty"`
	Place  string   `json:"place"` // source, with page, time or line
	Quote  string   `json:"quote"`
	Line   int      `json:"line,omitempty"`
	Offset int64    `json:"offset"` // of the quote, in bytes
	Page   int      `json:"page,omitempty"`
	Time   *float64 `json:"time,omitempty"` // seconds
	Weight float32  `json:"weight"`
}

// wireSkipped is what files of a request hold and was not read; no such thing is in
// OpenAI's API either.
type wireSkipped struct {
	Count int               `json:"count"`
	Files []wireSkippedFile `json:"files"` // the first of them
}

type wireSkippedFile struct {
	Source string `json:"source"`
	Reason string `json:"reason"`
}

func skippedOf(s *backend.Skipped) *wireSkipped {
	if s.Count == 0 {
		return nil
	}
	out := &wireSkipped{Count: s.Count}
	for _, f := range s.Files {
		out.Files = append(out.Files, wireSkippedFile(f))
	}
	return out
}

// evidence writes evidence with the IDs of the files that it comes from.
func (t *translator) evidence(list []handscroll.Evidence) []wireEvidence {
	var out []wireEvidence
	for i := range list {
		e := &list[i]
		w := wireEvidence{
			Source: e.Source, Place: e.Place(), Quote: e.Quote, Line: e.Line, Offset: e.Offset, Page: e.Page, Weight: e.Weight,
		}
		if f := t.find(e.Source); f != nil {
			w.FileID = f.id
		}
		if e.Timed {
			s := e.Time.Seconds()
			w.Time = &s
		}
		out = append(out, w)
	}
	return out
}

// find returns what of the request evidence names: the source itself, or what it is a
// page or a member of.
func (t *translator) find(name string) *source {
	var best *source
	for i := range t.files {
		f := &t.files[i]
		for _, s := range []string{f.name, f.id} {
			rest, ok := strings.CutPrefix(name, s)
			if !ok || s == "" || (rest != "" && !strings.ContainsRune("#/!@", rune(rest[0]))) {
				continue
			}
			if best == nil || len(f.name) > len(best.name) {
				best = f
			}
		}
	}
	return best
}

// citation is an annotation of an answer, in the form of responses.
type citation struct {
	Type string `json:"type"`
	// Of file_citation.
	FileID   *string `json:"file_id,omitempty"`
	Filename *string `json:"filename,omitempty"`
	Index    *int    `json:"index,omitempty"`
	// Of url_citation.
	Start *int    `json:"start_index,omitempty"`
	End   *int    `json:"end_index,omitempty"`
	Title *string `json:"title,omitempty"`
	URL   *string `json:"url,omitempty"`
}

// chatCitation is an annotation in the form of chat completions.
type chatCitation struct {
	Type string    `json:"type"`
	File *citeFile `json:"file_citation,omitempty"`
	URL  *citeURL  `json:"url_citation,omitempty"`
}

type citeFile struct {
	FileID   string `json:"file_id"`
	Filename string `json:"filename"`
	Index    int    `json:"index"`
}

type citeURL struct {
	Start int    `json:"start_index"`
	End   int    `json:"end_index"`
	Title string `json:"title"`
	URL   string `json:"url"`
}

// chatCitations are the annotations of an answer: one for each source, strongest
// first. The whole answer rests on each.
func (t *translator) chatCitations(text string, list []handscroll.Evidence) []chatCitation {
	var out []chatCitation
	seen := map[string]bool{}
	for i := range list {
		e := &list[i]
		if seen[e.Source] {
			continue
		}
		seen[e.Source] = true
		f := t.find(e.Source)
		if f != nil && f.url != "" {
			out = append(out, chatCitation{Type: "url_citation", URL: &citeURL{0, utf8.RuneCountInString(text), e.Place(), f.url}})
			continue
		}
		c := citeFile{Filename: e.Source, Index: len(out)}
		if f != nil {
			c.FileID = f.id
		}
		out = append(out, chatCitation{Type: "file_citation", File: &c})
	}
	return out
}

// citations are the same in the form of responses.
func (t *translator) citations(text string, list []handscroll.Evidence) []citation {
	out := []citation{}
	for _, c := range t.chatCitations(text, list) {
		w := citation{Type: c.Type}
		if f := c.File; f != nil {
			w.FileID, w.Filename, w.Index = &f.FileID, &f.Filename, &f.Index
		} else {
			u := c.URL
			w.Start, w.End, w.Title, w.URL = &u.Start, &u.End, &u.Title, &u.URL
		}
		out = append(out, w)
	}
	return out
}

// wireLogprob is a token with its probability.
type wireLogprob struct {
	Token   string        `json:"token"`
	Bytes   []int         `json:"bytes"`
	Logprob float64       `json:"logprob"`
	Top     []wireLogprob `json:"top_logprobs,omitzero"`
}

func logprobOf(t handscroll.Token) wireLogprob {
	w := wireLogprob{Token: tokenText(t.Text), Bytes: make([]int, len(t.Text)), Logprob: finite(t.LogProb)}
	for i, b := range t.Text {
		w.Bytes[i] = int(b)
	}
	return w
}

func logprobsOf(list []backend.Token) []wireLogprob {
	out := make([]wireLogprob, len(list))
	for i, t := range list {
		out[i] = logprobOf(t.Token)
		out[i].Top = []wireLogprob{}
		for _, c := range t.Top {
			out[i].Top = append(out[i].Top, logprobOf(c))
		}
	}
	return out
}

// finite keeps what JSON cannot say out of it: OpenAI's API has -9999 for tokens that
// are next to impossible.
func finite(p float64) float64 {
	if p != p || p < -9999 {
		return -9999
	}
	return p
}

// tokenText is a token as a string. Part of a character is written as OpenAI's API
// does: bytes:\xe2\x80.
func tokenText(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	var s strings.Builder
	s.WriteString("bytes:")
	for _, c := range b {
		fmt.Fprintf(&s, `\x%02x`, c)
	}
	return s.String()
}

// finishReason is why an answer ended.
func finishReason(f backend.Finish) string {
	switch f {
	case backend.FinishLength:
		return "length"
	case backend.FinishCalls:
		return "tool_calls"
	}
	return "stop"
}

// baseName is a file's name without the folders that a client may have put before it.
func baseName(s string) string {
	s = path.Base(strings.ReplaceAll(s, `\`, "/"))
	if s == "." || s == "/" || s == ".." {
		return "file"
	}
	return s
}

// progress is how far reading has come: the first four fields are llama.cpp's.
type progress struct {
	Total     int     `json:"total"`
	Cache     int     `json:"cache"`
	Processed int     `json:"processed"`
	TimeMS    int64   `json:"time_ms"` // since the request came
	Fraction  float64 `json:"fraction"`
	Rate      float64 `json:"tokens_per_second"`
	LeftMS    int64   `json:"time_left_ms"`
	Source    string  `json:"source,omitempty"`
	Waiting   bool    `json:"waiting"`
}
