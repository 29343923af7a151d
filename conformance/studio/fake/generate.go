package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

type content struct {
	Role  string
	Parts []struct {
		Text     string
		FileData *struct{ FileURI, MIMEType string }
	}
}

type request struct {
	Model, DisplayName, TTL, CachedContent string
	Contents                               []content
	GenerateContentRequest                 *request
}

func decode(r *http.Request, v any) error {
	return json.NewDecoder(r.Body).Decode(v)
}

func (s *server) models(w http.ResponseWriter, _ *http.Request) {
	model := func(id, name, says string, limit int) any {
		return map[string]any{
			"name": "models/" + id, "displayName": name, "description": says, "inputTokenLimit": limit, "outputTokenLimit": 8192,
			"supportedGenerationMethods": []string{"generateContent", "countTokens"},
		}
	}
	answer(w, map[string]any{"models": []any{
		model("handscroll", "Handscroll", "Reads text, pictures, sound and films, and says where it found what it answers.", 4<<20),
		model("other", "Another one", "Open weights.", 32768),
	}})
}

// sources are a request's texts and files, with those of its context; the last text
// is not among them: it is the question.
func (s *server) sources(q *request) (list []source, question string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q.CachedContent != "" {
		c := s.contexts[q.CachedContent]
		if c == nil {
			return nil, "", errors.New("There is no such context: it has expired or was deleted.") //nolint:staticcheck // shown as it is
		}
		list = append(list, c.parts...)
	}
	for _, c := range q.Contents {
		for _, p := range c.Parts {
			if p.FileData == nil {
				list = append(list, source{name: "text", data: []byte(p.Text)})
				continue
			}
			f := s.files["files/"+path.Base(p.FileData.FileURI)]
			if f == nil {
				return nil, "", errors.New("There is no such file.") //nolint:staticcheck // shown as it is
			}
			list = append(list, source{f.DisplayName, f.MIME, f.Name, f.data})
		}
	}
	if n := len(list); n > 0 && list[n-1].file == "" {
		question, list = string(list[n-1].data), list[:n-1]
	}
	return list, question, nil
}

func (p *source) tokens() int {
	switch {
	case strings.HasPrefix(p.mime, "video/"):
		return seconds(p.mime) * 290
	case strings.HasPrefix(p.mime, "audio/"):
		return seconds(p.mime) * 32
	case strings.HasPrefix(p.mime, "image/"):
		return 258
	}
	return max(1, len(p.data)/4)
}

func total(list []source) (n int) {
	for i := range list {
		n += list[i].tokens()
	}
	return n
}

func (s *server) model(w http.ResponseWriter, r *http.Request) {
	var q request
	if err := decode(r, &q); err != nil {
		fail(w, 400, "INVALID_ARGUMENT", err.Error())
		return
	}
	if q.GenerateContentRequest != nil {
		q = *q.GenerateContentRequest
	}
	list, question, err := s.sources(&q)
	if err != nil {
		fail(w, 404, "NOT_FOUND", err.Error())
		return
	}
	prompt := total(list) + len(strings.Fields(question))
	_, call, _ := strings.Cut(r.PathValue("call"), ":")
	if call == "countTokens" {
		answer(w, map[string]any{"totalTokens": prompt})
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	said, evidence := find(list, question)
	words := strings.SplitAfter(said, " ")
	for i, word := range words {
		c := map[string]any{"content": map[string]any{"role": "model", "parts": []any{map[string]any{"text": word}}}, "index": 0}
		out := map[string]any{"candidates": []any{c}}
		if i == len(words)-1 {
			c["finishReason"] = "STOP"
			c["evidence"] = evidence
			c["found"] = len(evidence) > 0
			out["usageMetadata"] = map[string]any{"promptTokenCount": prompt, "cachedContentTokenCount": total(list), "totalTokenCount": prompt + len(words)}
		}
		send(w, out)
		if !pause(r, 60*time.Millisecond) {
			return
		}
	}
}

// pause waits; it returns false if the client left.
func pause(r *http.Request, d time.Duration) bool {
	select {
	case <-r.Context().Done():
		return false
	case <-time.After(d):
		return true
	}
}

var (
	sentences = regexp.MustCompile(`[^.!?\n]+[.!?]?`)
	numbers   = regexp.MustCompile(`\d{4,}`)
	pageMark  = regexp.MustCompile(`/Type */Page\b`)
)

// find answers with the sentences that have most of the question's words.
func find(list []source, question string) (string, []map[string]any) {
	words := strings.Fields(strings.ToLower(strings.Trim(question, "?")))
	type hit struct {
		score    int
		evidence map[string]any
		quote    string
	}
	var hits []hit
	for _, p := range list {
		e := map[string]any{"source": p.name, "uri": "http://local/v1beta/" + p.file}
		switch {
		case strings.HasPrefix(p.mime, "video/"):
			e["time"], e["offset"], e["quote"] = 7.5, 0, "Seen: the secret word is \"lantern\"."
		case strings.HasPrefix(p.mime, "audio/"):
			e["time"], e["offset"], e["quote"] = 3.0, 0, "the secret keyword is meadow"
		default:
			best, at := 0, []int(nil)
			for _, span := range sentences.FindAllIndex(p.data, -1) {
				if n := score(string(p.data[span[0]:span[1]]), words); n > best {
					best, at = n, span
				}
			}
			if at == nil {
				continue
			}
			e["offset"], e["line"] = at[0], 1+bytes.Count(p.data[:at[0]], []byte("\n"))
			e["quote"] = strings.TrimSpace(string(p.data[at[0]:at[1]]))
			if p.mime == "application/pdf" {
				e["page"] = len(pageMark.FindAllIndex(p.data[:at[0]], -1))
				e["quote"] = strings.TrimPrefix(strings.TrimSuffix(e["quote"].(string), ") Tj T*"), "(")
			}
		}
		quote := e["quote"].(string)
		if n := score(quote, words); n >= 2 {
			hits = append(hits, hit{n, e, quote})
		}
	}
	slices.SortStableFunc(hits, func(a, b hit) int { return cmp.Compare(b.score, a.score) })
	if len(hits) == 0 {
		return "The context does not say.", nil
	}
	hits = hits[:min(len(hits), 4)]
	var evidence []map[string]any
	for i, h := range hits {
		h.evidence["weight"] = 0.8 / float64(i+1)
		evidence = append(evidence, h.evidence)
	}
	said := hits[0].quote
	if n := numbers.FindString(said); n != "" {
		said = n
	}
	return said, evidence
}

func score(text string, words []string) (n int) {
	text = strings.ToLower(text)
	for _, w := range words {
		if len(w) > 3 && strings.Contains(text, w) {
			n++
		}
	}
	return n
}

func (s *server) createContext(w http.ResponseWriter, r *http.Request) {
	var q request
	if err := decode(r, &q); err != nil {
		fail(w, 400, "INVALID_ARGUMENT", err.Error())
		return
	}
	q.Contents = append(q.Contents, content{Parts: make([]struct {
		Text     string
		FileData *struct{ FileURI, MIMEType string }
	}, 1)}) // an empty question, which sources takes off
	list, _, err := s.sources(&q)
	if err != nil {
		fail(w, 404, "NOT_FOUND", err.Error())
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	all, done := total(list), 0
	began := time.Now()
	for _, p := range list {
		for n := p.tokens(); n > 0; {
			step := min(n, max(64, int(s.rate/25)))
			send(w, map[string]any{"progress": map[string]any{
				"tokens": done, "total": all, "source": p.name, "fraction": float64(done) / float64(all),
				"tokensPerSecond": float64(done) / time.Since(began).Seconds(), "secondsLeft": float64(all-done) / s.rate,
			}})
			if !pause(r, time.Duration(float64(step)/s.rate*float64(time.Second))) {
				return
			}
			n, done = n-step, done+step
		}
	}
	ttl, err := time.ParseDuration(q.TTL)
	if err != nil {
		ttl = time.Hour
	}
	c := &stored{"cachedContents/" + newID(), q.DisplayName, q.Model, time.Now(), time.Now().Add(ttl), list}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.contexts[c.Name] = c
	s.order = append(s.order, c.Name)
	s.read += float64(all)
	send(w, c.wire())
}

func (c *stored) wire() map[string]any {
	sources := []any{}
	for _, p := range c.parts {
		kind := "text"
		for prefix, k := range map[string]string{"video/": "film", "audio/": "sound", "image/": "picture"} {
			if strings.HasPrefix(p.mime, prefix) {
				kind = k
			}
		}
		sources = append(sources, map[string]any{"name": p.name, "kind": kind, "bytes": len(p.data), "tokens": p.tokens(), "seconds": seconds(p.mime)})
	}
	return map[string]any{
		"name": c.Name, "displayName": c.DisplayName, "model": c.Model, "createTime": c.created.Format(time.RFC3339),
		"expireTime": c.expires.Format(time.RFC3339), "usageMetadata": map[string]any{"totalTokenCount": total(c.parts)}, "sources": sources,
	}
}

func (s *server) listContexts(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []any{}
	for _, name := range slices.Backward(s.order) {
		if c := s.contexts[name]; c != nil {
			list = append(list, c.wire())
		}
	}
	answer(w, map[string]any{"cachedContents": list})
}

// context gets, extends or deletes one.
func (s *server) context(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := "cachedContents/" + r.PathValue("id")
	c := s.contexts[name]
	if c == nil {
		fail(w, 404, "NOT_FOUND", fmt.Sprintf("There is no context %s: it has expired or was deleted.", name))
		return
	}
	switch r.Method {
	case http.MethodDelete:
		delete(s.contexts, name)
		answer(w, map[string]any{})
		return
	case http.MethodPatch:
		var q request
		ttl := time.Duration(0)
		err := decode(r, &q)
		if err == nil {
			ttl, err = time.ParseDuration(q.TTL)
		}
		if err != nil {
			fail(w, 400, "INVALID_ARGUMENT", err.Error())
			return
		}
		c.expires = time.Now().Add(ttl)
	}
	answer(w, c.wire())
}
