package gemini

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
)

type cachedContent struct {
	Name        string      `json:"name"`
	Model       string      `json:"model"`
	DisplayName string      `json:"displayName,omitempty"`
	Created     string      `json:"createTime"`
	Updated     string      `json:"updateTime"`
	Expires     string      `json:"expireTime,omitempty"` // absent if it never does
	Usage       cachedUsage `json:"usageMetadata"`
	// What the public API does not have.
	Sources []source `json:"sources,omitempty"`
	Skipped *skipped `json:"skipped,omitempty"`
}

type cachedUsage struct {
	Total   int             `json:"totalTokenCount"`
	Details []modalityCount `json:"tokensDetails,omitempty"` // not of the public API
}

// source is a part of a context.
type source struct {
	Name     string  `json:"name"`
	URI      string  `json:"uri,omitempty"`
	Kind     string  `json:"kind"`
	Bytes    int64   `json:"bytes"`
	Tokens   int     `json:"tokens"`
	Duration float64 `json:"seconds,omitempty"`
}

func (h *handler) cachedOf(r *http.Request, s *backend.Stored, uri func(string) string) cachedContent {
	out := cachedContent{
		Name: "cachedContents/" + s.ID, Model: "models/" + s.Model, DisplayName: s.Name,
		Created: timeText(s.Created), Updated: timeText(s.Updated),
		Usage: cachedUsage{s.Tokens, countsOf(s.ByKind)}, Skipped: skippedOf(&s.Skipped),
	}
	if !s.Expires.IsZero() {
		out.Expires = timeText(s.Expires)
	}
	for _, src := range s.Sources {
		out.Sources = append(out.Sources, source{
			Name: src.Name, URI: uri(src.Name), Kind: src.Kind, Bytes: src.Bytes, Tokens: src.Tokens + src.Seen + src.Heard, Duration: src.Length.Seconds(),
		})
	}
	return out
}

// lifetime is how long a context is to live, 0 if the request does not say.
func (c *cachedRequest) lifetime(now time.Time) (time.Duration, error) {
	switch {
	case c.TTL != nil && c.ExpireTime != nil:
		return 0, invalid("expireTime", "give it or ttl, not both")
	case c.TTL != nil && *c.TTL <= 0:
		return 0, invalid("ttl", "it is %s, and must be above 0s", durationText(*c.TTL))
	case c.TTL != nil:
		return *c.TTL, nil
	case c.ExpireTime == nil:
		return 0, nil
	}
	d := c.ExpireTime.Sub(now)
	if d <= 0 {
		return 0, invalid("expireTime", "it is in the past")
	}
	return d, nil
}

func (h *handler) createCached(w http.ResponseWriter, r *http.Request, _ string) error {
	var c cachedRequest
	if err := h.readBody(w, r, &c, false); err != nil {
		return err
	}
	n, at, err := h.newStored(r, &c)
	if err != nil {
		return err
	}
	if r.URL.Query().Get("alt") != "sse" {
		s, err := h.b.Store(r.Context(), *n, nil)
		if err != nil {
			return locate(err, at)
		}
		writeJSON(w, http.StatusOK, h.cachedOf(r, s, h.sources(r, n.Messages)))
		return nil
	}
	out := newStream(w, r)
	s, err := h.b.Store(r.Context(), *n, func(e backend.Event) error {
		if e.Progress == nil {
			return nil
		}
		return out.send(struct {
			Progress *progress `json:"progress"`
		}{progressOf(e.Progress)})
	})
	if err == nil {
		err = out.send(h.cachedOf(r, s, h.sources(r, n.Messages)))
	}
	return h.end(r, out, locate(err, at))
}

// newStored translates a request; at is as of [messages].
func (h *handler) newStored(r *http.Request, c *cachedRequest) (n *backend.NewStored, at [][]string, err error) {
	model, ok := strings.CutPrefix(c.Model, "models/")
	if model == "" || !ok && strings.Contains(model, "/") {
		return nil, nil, invalid("model", "%q is no model; it must be like models/ID", clip(c.Model))
	}
	if _, err := h.b.Model(model); err != nil {
		return nil, nil, err
	}
	ttl, err := c.lifetime(time.Now())
	if err != nil {
		return nil, nil, err
	}
	if len(c.Contents) == 0 && c.SystemInstruction == nil {
		return nil, nil, invalid("contents", "there are none; a context has contents or a systemInstruction")
	}
	n = &backend.NewStored{Model: model, Owner: owner(r), Name: c.DisplayName, TTL: ttl}
	if n.System, err = system(c.SystemInstruction); err != nil {
		return nil, nil, err
	}
	if n.Messages, at, err = messages(c.Contents); err != nil {
		return nil, nil, err
	}
	if n.Tools, err = tools(c.Tools); err != nil {
		return nil, nil, err
	}
	n.ToolChoice, err = toolChoice(c.ToolConfig, n.Tools)
	return n, at, err
}

func (h *handler) getCached(w http.ResponseWriter, r *http.Request, id string) error {
	s, err := h.b.Stored(r.Context(), owner(r), id)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, h.cachedOf(r, s, h.sources(r, nil)))
	return nil
}

func (h *handler) listCached(w http.ResponseWriter, r *http.Request, _ string) error {
	all, err := h.b.StoredList(r.Context(), owner(r))
	if err != nil {
		return err
	}
	list, next, err := page(r, all, func(s *backend.Stored) place { return place{s.Created, s.ID} })
	if err != nil {
		return err
	}
	out := struct {
		Cached []cachedContent `json:"cachedContents"`
		Next   string          `json:"nextPageToken,omitempty"`
	}{Cached: []cachedContent{}, Next: next}
	uri := h.sources(r, nil)
	for i := range list {
		out.Cached = append(out.Cached, h.cachedOf(r, &list[i], uri))
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

// patchCached changes when a context expires, which is all of it that can be changed.
func (h *handler) patchCached(w http.ResponseWriter, r *http.Request, id string) error {
	var c cachedRequest
	if err := h.readBody(w, r, &c, false); err != nil {
		return err
	}
	q := r.URL.Query()
	mask := q.Get("updateMask")
	if mask == "" {
		mask = q.Get("update_mask")
	}
	if mask != "" {
		for name := range strings.SplitSeq(mask, ",") {
			if name = strings.TrimSpace(name); !slices.Contains([]string{"ttl", "expireTime", "expire_time"}, name) {
				return invalid("updateMask", "it has %q; only ttl or expireTime can be changed", clip(name))
			}
		}
	}
	if c.Contents != nil || c.SystemInstruction != nil || c.Tools != nil || c.ToolConfig != nil || c.DisplayName != "" {
		return invalid("cachedContent", "only ttl or expireTime can be changed; what was read stays as it is")
	}
	now := time.Now()
	ttl, err := c.lifetime(now)
	if err != nil {
		return err
	}
	if ttl == 0 {
		return invalid("ttl", "there is neither ttl nor expireTime")
	}
	expires := now.Add(ttl)
	if c.ExpireTime != nil {
		expires = *c.ExpireTime
	}
	s, err := h.b.Extend(r.Context(), owner(r), id, expires)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, h.cachedOf(r, s, h.sources(r, nil)))
	return nil
}

func (h *handler) deleteCached(w http.ResponseWriter, r *http.Request, id string) error {
	if err := h.b.DeleteStored(r.Context(), owner(r), id); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, struct{}{})
	return nil
}
