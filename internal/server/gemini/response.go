package gemini

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"strings"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/server/backend"
)

// What the server answers.

type generateResponse struct {
	Candidates   []candidate `json:"candidates,omitempty"`
	Usage        *usage      `json:"usageMetadata,omitempty"`
	ModelVersion string      `json:"modelVersion"`
	ResponseID   string      `json:"responseId"`
	// What the public API does not have.
	Progress *progress `json:"progress,omitempty"`
	Skipped  *skipped  `json:"skipped,omitempty"`
}

// skipped is what the prompt's files hold and was not read.
type skipped struct {
	Count int           `json:"count"`
	Files []skippedFile `json:"files"` // the first of them
}

type skippedFile struct {
	Source string `json:"source"`
	Reason string `json:"reason"`
}

func skippedOf(s *backend.Skipped) *skipped {
	if s.Count == 0 {
		return nil
	}
	out := &skipped{Count: s.Count}
	for _, f := range s.Files {
		out.Files = append(out.Files, skippedFile(f))
	}
	return out
}

type candidate struct {
	Content      *contentOut `json:"content,omitempty"`
	FinishReason string      `json:"finishReason,omitempty"`
	Index        int         `json:"index"`
	Citations    *citations  `json:"citationMetadata,omitempty"`
	Grounding    *grounding  `json:"groundingMetadata,omitempty"`
	AvgLogprobs  *float64    `json:"avgLogprobs,omitempty"`
	Logprobs     *logprobs   `json:"logprobsResult,omitempty"`
	// What the public API does not have.
	Evidence []evidence `json:"evidence,omitempty"`
	Found    *bool      `json:"found,omitempty"` // false where the context does not say
}

type contentOut struct {
	Parts []partOut `json:"parts"`
	Role  string    `json:"role"`
}

type partOut struct {
	Text *string  `json:"text,omitempty"`
	Call *callOut `json:"functionCall,omitempty"`
}

type callOut struct {
	ID   string          `json:"id,omitempty"`
	Name string          `json:"name"`
	Args json.RawMessage `json:"args"`
}

// citations is called citationSources on the wire of v1beta; SDKs rename it to citations.
type citations struct {
	Sources []citation `json:"citationSources"`
}

type citation struct {
	Start int    `json:"startIndex"`
	End   int    `json:"endIndex"`
	URI   string `json:"uri,omitempty"`
	Title string `json:"title,omitempty"`
}

type grounding struct {
	Chunks   []groundingChunk   `json:"groundingChunks"`
	Supports []groundingSupport `json:"groundingSupports,omitempty"`
}

type groundingChunk struct {
	Retrieved retrieved `json:"retrievedContext"`
}

type retrieved struct {
	URI      string     `json:"uri,omitempty"`
	Title    string     `json:"title"`
	Text     string     `json:"text"`
	Page     int        `json:"pageNumber,omitempty"`
	RAGChunk *ragChunk  `json:"ragChunk,omitempty"`
	Metadata []metadata `json:"customMetadata,omitempty"` // line, time in seconds
}

type ragChunk struct {
	Text     string   `json:"text"`
	PageSpan pageSpan `json:"pageSpan"`
}

type pageSpan struct {
	First int `json:"firstPage"`
	Last  int `json:"lastPage"`
}

type metadata struct {
	Key     string  `json:"key"`
	Numeric float64 `json:"numericValue"`
}

type groundingSupport struct {
	Segment    segment   `json:"segment"`
	Chunks     []int     `json:"groundingChunkIndices"`
	Confidence []float32 `json:"confidenceScores"`
}

// segment is a stretch of an answer, in bytes.
type segment struct {
	Part  int    `json:"partIndex"`
	Start int    `json:"startIndex"`
	End   int    `json:"endIndex"`
	Text  string `json:"text"`
}

// evidence is a passage that an answer rests on, as exactly as it is known.
type evidence struct {
	Source string   `json:"source"`
	URI    string   `json:"uri,omitempty"` // of the file, if it is one that was uploaded
	Place  string   `json:"place"`         // source with page, time or line
	Page   int      `json:"page,omitempty"`
	Line   int      `json:"line,omitempty"`
	Offset int64    `json:"offset"`
	Time   *float64 `json:"time,omitempty"` // seconds
	Quote  string   `json:"quote"`
	Weight float32  `json:"weight"`
}

type logprobs struct {
	Top    []topCandidates `json:"topCandidates,omitempty"`
	Chosen []tokenProb     `json:"chosenCandidates"`
}

type topCandidates struct {
	Candidates []tokenProb `json:"candidates"`
}

type tokenProb struct {
	Token   string  `json:"token"`
	ID      int32   `json:"tokenId"`
	LogProb float64 `json:"logProbability"`
}

type usage struct {
	Prompt           int             `json:"promptTokenCount"`
	Candidates       int             `json:"candidatesTokenCount,omitempty"`
	Total            int             `json:"totalTokenCount"`
	Cached           int             `json:"cachedContentTokenCount,omitempty"`
	PromptDetails    []modalityCount `json:"promptTokensDetails,omitempty"`
	CacheDetails     []modalityCount `json:"cacheTokensDetails,omitempty"`
	CandidateDetails []modalityCount `json:"candidatesTokensDetails,omitempty"`
}

type modalityCount struct {
	Modality backend.Modality `json:"modality"`
	Tokens   int              `json:"tokenCount"`
}

// progress is how far reading a prompt has come; not of the public API.
type progress struct {
	Tokens   int     `json:"tokens"`
	Total    int     `json:"total,omitempty"`
	Cached   int     `json:"cached"`
	Source   string  `json:"source,omitempty"`
	Fraction float64 `json:"fraction"`
	Rate     float64 `json:"tokensPerSecond,omitempty"`
	Left     float64 `json:"secondsLeft,omitempty"`
	Waiting  bool    `json:"waiting,omitempty"`
}

func progressOf(p *backend.Progress) *progress {
	return &progress{
		Tokens: p.Tokens, Total: p.Total, Cached: p.Cached, Source: p.Source, Fraction: finite(p.Fraction),
		Rate: finite(p.Rate), Left: p.Left.Seconds(), Waiting: p.Waiting,
	}
}

// finite is x, or 0 for what JSON cannot say.
func finite(x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return 0
	}
	return x
}

var modalities = []backend.Modality{backend.Text, backend.Image, backend.Video, backend.Audio, backend.Document}

func countsOf(by map[backend.Modality]int) []modalityCount {
	var out []modalityCount
	for _, m := range modalities {
		if n := by[m]; n > 0 {
			out = append(out, modalityCount{m, n})
		}
	}
	return out
}

func usageOf(u *backend.Usage) *usage {
	out := &usage{
		Prompt: u.Prompt, Candidates: u.Answer, Total: u.Prompt + u.Answer, Cached: u.Cached,
		PromptDetails: countsOf(u.ByKind), CacheDetails: countsOf(u.CachedBy),
	}
	if u.Answer > 0 {
		out.CandidateDetails = []modalityCount{{backend.Text, u.Answer}}
	}
	return out
}

// Log-probabilities below this are of tokens that could not come; JSON has no −∞.
const leastLogprob = -1e4

func logprob(x float64) float64 {
	if math.IsNaN(x) || x < leastLogprob {
		return leastLogprob
	}
	return min(x, 0)
}

func tokenOf(t *handscroll.Token) tokenProb {
	return tokenProb{string(t.Text), t.ID, logprob(t.LogProb)}
}

func logprobsOf(tokens []backend.Token) *logprobs {
	if len(tokens) == 0 {
		return nil
	}
	out := &logprobs{}
	for i := range tokens {
		t := &tokens[i]
		out.Chosen = append(out.Chosen, tokenOf(&t.Token))
		if len(t.Top) > 0 {
			var top topCandidates
			for j := range t.Top {
				top.Candidates = append(top.Candidates, tokenOf(&t.Top[j]))
			}
			out.Top = append(out.Top, top)
		}
	}
	return out
}

func averageOf(tokens []backend.Token) *float64 {
	if len(tokens) == 0 {
		return nil
	}
	sum := 0.0
	for i := range tokens {
		sum += logprob(tokens[i].LogProb)
	}
	sum /= float64(len(tokens))
	return &sum
}

var finishReasons = map[backend.Finish]string{
	backend.FinishStop: "STOP", backend.FinishLength: "MAX_TOKENS", backend.FinishCalls: "STOP",
}

// text is the answer as it is shown.
func (q *asked) text(c *backend.Choice) string {
	if q.enum {
		var word string
		if json.Unmarshal([]byte(c.Text), &word) == nil {
			return word
		}
	}
	return c.Text
}

// parts is an answer but for the text that was sent before.
func (q *asked) parts(c *backend.Choice, sent int) []partOut {
	out := []partOut{}
	text := q.text(c)
	rest := text[min(sent, len(text)):]
	// Without a part a message is invalid to the chats of SDKs, which then forget it.
	if rest != "" || len(c.Calls) == 0 {
		out = append(out, partOut{Text: &rest})
	}
	for _, call := range c.Calls {
		args := call.Arguments
		if len(args) == 0 {
			args = json.RawMessage("{}")
		}
		out = append(out, partOut{Call: &callOut{call.ID, call.Name, args}})
	}
	return out
}

// finish is the end of an answer, of which sent bytes of text and as many tokens were sent
// before. uri finds a source's file.
func (q *asked) finish(index int, c *backend.Choice, sentText, sentTokens int, uri func(source string) string) candidate {
	out := candidate{
		Content: &contentOut{q.parts(c, sentText), "model"}, Index: index,
		FinishReason: cmp.Or(finishReasons[c.Finish], "OTHER"),
		AvgLogprobs:  averageOf(c.Tokens),
		Logprobs:     logprobsOf(c.Tokens[min(sentTokens, len(c.Tokens)):]),
	}
	if !c.Found {
		out.Found = new(bool)
	}
	if len(c.Evidence) > 0 {
		out.cite(q.text(c), c.Evidence, uri)
	}
	return out
}

// cite adds the passages that an answer rests on, in each of the API's forms.
func (out *candidate) cite(text string, list []handscroll.Evidence, uri func(source string) string) {
	out.Citations, out.Grounding = new(citations), new(grounding)
	supports := make(map[segment]int) // to their index
	for i := range list {
		e := &list[i]
		u := uri(e.Source)
		ev := evidence{
			Source: e.Source, URI: u, Place: e.Place(), Page: e.Page, Line: e.Line, Offset: e.Offset, Quote: e.Quote, Weight: weight(e.Weight),
		}
		ret := retrieved{URI: u, Title: e.Source, Text: e.Quote, Page: e.Page}
		if e.Page > 0 {
			ret.RAGChunk = &ragChunk{e.Quote, pageSpan{e.Page, e.Page}}
		}
		if e.Line > 0 {
			ret.Metadata = append(ret.Metadata, metadata{"line", float64(e.Line)})
		}
		if e.Timed {
			s := e.Time.Seconds()
			ev.Time = &s
			ret.Metadata = append(ret.Metadata, metadata{"time", s})
		}
		out.Evidence = append(out.Evidence, ev)
		out.Grounding.Chunks = append(out.Grounding.Chunks, groundingChunk{ret})
		for _, s := range segmentsOf(text, e.Quote) {
			out.Citations.Sources = append(out.Citations.Sources, citation{s.Start, s.End, u, e.Place()})
			at, ok := supports[s]
			if !ok {
				at = len(out.Grounding.Supports)
				supports[s] = at
				out.Grounding.Supports = append(out.Grounding.Supports, groundingSupport{Segment: s})
			}
			sup := &out.Grounding.Supports[at]
			sup.Chunks = append(sup.Chunks, i)
			sup.Confidence = append(sup.Confidence, weight(e.Weight))
		}
	}
	slices.SortStableFunc(out.Grounding.Supports, func(a, b groundingSupport) int { return a.Segment.Start - b.Segment.Start })
}

func weight(w float32) float32 { return float32(finite(float64(w))) }

// segmentsOf are the values of an answer, which joins several by "; ", that stand in a
// quote; where none does, the answer rests on it as a whole.
func segmentsOf(text, quote string) []segment {
	var out []segment
	start := 0
	for value := range strings.SplitSeq(text, "; ") {
		if v := strings.TrimSpace(value); v != "" && strings.Contains(quote, v) {
			out = append(out, segment{Start: start, End: start + len(value), Text: value})
		}
		start += len(value) + len("; ")
	}
	if len(out) == 0 {
		out = append(out, segment{End: len(text), Text: text})
	}
	return out
}
