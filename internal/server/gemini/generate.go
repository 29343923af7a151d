package gemini

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"strings"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// ask reads a request to generate.
func (h *handler) ask(w http.ResponseWriter, r *http.Request, model string) (*asked, error) {
	var g generateRequest
	if err := h.readBody(w, r, &g, false); err != nil {
		return nil, err
	}
	if err := sameModel("model", g.Model, model); err != nil {
		return nil, err
	}
	return h.request(r.Context(), model, &g)
}

// sameModel checks a model that a body names besides the path.
func sameModel(at, got, want string) error {
	if got != "" && strings.TrimPrefix(got, "models/") != want {
		return invalid(at, "it is %q, and the path says models/%s", clip(got), want)
	}
	return nil
}

func (h *handler) generate(w http.ResponseWriter, r *http.Request, model string) error {
	q, err := h.ask(w, r, model)
	if err != nil {
		return err
	}
	res, err := h.b.Generate(r.Context(), q.Request, nil)
	if err != nil {
		return q.locate(err)
	}
	out := generateResponse{Usage: usageOf(&res.Usage), ModelVersion: res.Model, ResponseID: res.ID, Skipped: skippedOf(&res.Skipped)}
	uri := h.sources(r, q.Messages)
	for i := range res.Choices {
		out.Candidates = append(out.Candidates, q.finish(i, &res.Choices[i], 0, 0, uri))
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

// sent is what has been sent of an answer.
type sent struct {
	text   strings.Builder
	tokens int
}

// answering is a stream of answers.
type answering struct {
	q     *asked
	out   stream
	model string
	id    string
	sent  []sent // by the answer's index
}

func (a *answering) send(r generateResponse) error {
	r.ModelVersion, r.ResponseID = a.model, a.id
	return a.out.send(r)
}

// event sends what happens before an answer is whole.
func (a *answering) event(e backend.Event) error {
	switch d := e.Delta; {
	case e.Progress != nil:
		// SDKs take a message without candidates for a heartbeat, if it has usage.
		n := e.Progress.Tokens
		return a.send(generateResponse{Usage: &usage{Prompt: n, Total: n}, Progress: progressOf(e.Progress)})
	case d != nil && !a.q.enum && d.Index < len(a.sent) && (d.Text != "" || len(d.Tokens) > 0):
		s := &a.sent[d.Index]
		s.text.WriteString(d.Text)
		s.tokens += len(d.Tokens)
		return a.send(generateResponse{Candidates: []candidate{{
			Content: &contentOut{[]partOut{{Text: &d.Text}}, "model"}, Index: d.Index, Logprobs: logprobsOf(d.Tokens),
		}}})
	}
	return nil
}

func (h *handler) stream(w http.ResponseWriter, r *http.Request, model string) error {
	q, err := h.ask(w, r, model)
	if err != nil {
		return err
	}
	q.Progress = wants(r, "progress", "X-Handscroll-Progress")
	a := &answering{q: q, out: newStream(w, r), model: model, id: rand.Text(), sent: make([]sent, max(q.Count, 1))}
	res, err := h.b.Generate(r.Context(), q.Request, a.event)
	if err == nil {
		err = h.last(r, a, res)
	}
	return h.end(r, a.out, q.locate(err))
}

// last sends what is known when answers are whole.
func (h *handler) last(r *http.Request, a *answering, res *backend.Response) error {
	out := generateResponse{Usage: usageOf(&res.Usage), Skipped: skippedOf(&res.Skipped)}
	uri := h.sources(r, a.q.Messages)
	for i := range res.Choices {
		text, tokens := 0, 0
		if i < len(a.sent) {
			text, tokens = a.sent[i].text.Len(), a.sent[i].tokens
			if !strings.HasPrefix(a.q.text(&res.Choices[i]), a.sent[i].text.String()) {
				return errors.New("the answer is not what was streamed of it")
			}
		}
		out.Candidates = append(out.Candidates, a.q.finish(i, &res.Choices[i], text, tokens, uri))
	}
	return a.send(out)
}

// end ends a stream. An error comes as its last message, or as the answer if nothing has
// been sent.
func (h *handler) end(r *http.Request, out stream, err error) error {
	if err == nil {
		return out.close()
	}
	if !out.started() {
		return err
	}
	e, s := h.failure(r, err)
	if out.send(bodyOf(e, s)) == nil {
		_ = out.close()
	}
	return nil // there is nobody else to tell
}

// sources returns a function that finds the file that evidence names: among those of the
// messages, then among all of the owner's.
func (h *handler) sources(r *http.Request, messages []backend.Message) func(source string) string {
	ids := make(map[string]bool)
	for _, m := range messages {
		for _, p := range m.Parts {
			if p.File != "" {
				ids[p.File] = true
			}
		}
	}
	var list []backend.File
	listed := false
	return func(source string) string {
		if !listed {
			listed = true
			// Without the list evidence has names and no URIs. The request may be at
			// its deadline, but its answer is there.
			list, _ = h.b.Files(context.WithoutCancel(r.Context()), owner(r))
		}
		best := ""
		for i := range list {
			f := &list[i]
			if !named(source, f) {
				continue
			}
			if ids[f.ID] {
				return fileURI(r, f.ID)
			}
			if best == "" {
				best = fileURI(r, f.ID)
			}
		}
		return best
	}
}

// named reports whether evidence's source is a file: by its name, or by its ID where it
// has none, with what a member of an archive or a page adds.
func named(source string, f *backend.File) bool {
	for _, name := range []string{f.Name, f.ID} {
		if rest, ok := strings.CutPrefix(source, name); ok && name != "" && (rest == "" || strings.ContainsAny(rest[:1], "/#!") || name == f.ID && rest[0] == '.') {
			return true
		}
	}
	return false
}

func (h *handler) count(w http.ResponseWriter, r *http.Request, model string) error {
	var c countRequest
	if err := h.readBody(w, r, &c, false); err != nil {
		return err
	}
	g := c.Generate
	switch {
	case g != nil && len(c.Contents) > 0:
		return invalid("generateContentRequest", "give it or contents, not both")
	case g == nil:
		g = &generateRequest{Contents: c.Contents}
	}
	if err := sameModel("generateContentRequest.model", g.Model, model); err != nil {
		return err
	}
	q, err := h.request(r.Context(), model, g)
	if err != nil {
		return err
	}
	u, err := h.b.Count(r.Context(), q.Request)
	if err != nil {
		return q.locate(err)
	}
	writeJSON(w, http.StatusOK, struct {
		Total         int             `json:"totalTokens"`
		Cached        int             `json:"cachedContentTokenCount,omitempty"`
		PromptDetails []modalityCount `json:"promptTokensDetails,omitempty"`
		CacheDetails  []modalityCount `json:"cacheTokensDetails,omitempty"`
	}{u.Prompt, u.Cached, countsOf(u.ByKind), countsOf(u.CachedBy)})
	return nil
}
