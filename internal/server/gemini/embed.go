package gemini

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// maxEmbeds is how many texts a batch may have, as in the public API.
const maxEmbeds = 100

type embedding struct {
	Values []float32 `json:"values"`
}

func (h *handler) embed(w http.ResponseWriter, r *http.Request, model string) error {
	var e embedRequest
	if err := h.readBody(w, r, &e, false); err != nil {
		return err
	}
	vectors, u, err := h.vectors(r, model, []embedRequest{e}, func(int) string { return "" })
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, struct {
		Embedding embedding `json:"embedding"`
		Usage     *usage    `json:"usageMetadata,omitempty"`
	}{embedding{vectors[0]}, u})
	return nil
}

func (h *handler) batchEmbed(w http.ResponseWriter, r *http.Request, model string) error {
	var b batchEmbedRequest
	if err := h.readBody(w, r, &b, false); err != nil {
		return err
	}
	if n := len(b.Requests); n == 0 || n > maxEmbeds {
		return invalid("requests", "there are %d; there must be 1 to %d", n, maxEmbeds)
	}
	vectors, u, err := h.vectors(r, model, b.Requests, func(i int) string { return fmt.Sprintf("requests[%d].", i) })
	if err != nil {
		return err
	}
	out := struct {
		Embeddings []embedding `json:"embeddings"`
		Usage      *usage      `json:"usageMetadata,omitempty"`
	}{Usage: u}
	for _, v := range vectors {
		out.Embeddings = append(out.Embeddings, embedding{v})
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

// vectors embeds the texts of requests; at is where the i-th stands.
func (h *handler) vectors(r *http.Request, model string, list []embedRequest, at func(i int) string) ([][]float32, *usage, error) {
	var texts []string
	dims := 0
	for i := range list {
		e, at := &list[i], at(i)
		if err := sameModel(at+"model", e.Model, model); err != nil {
			return nil, nil, err
		}
		d := 0
		if n := e.OutputDimensionality; n != nil {
			if d = int(*n); d < 1 {
				return nil, nil, invalid(at+"outputDimensionality", "it is %d, and must be at least 1", d)
			}
		}
		if i > 0 && d != dims {
			return nil, nil, invalid(at+"outputDimensionality", "all of a batch must have the same")
		}
		dims = d
		text, err := e.text(at)
		if err != nil {
			return nil, nil, err
		}
		texts = append(texts, text)
	}
	vectors, u, err := h.b.Embed(r.Context(), model, texts, dims)
	if err != nil {
		return nil, nil, err
	}
	if len(vectors) != len(texts) {
		return nil, nil, backend.Errorf(backend.Internal, "there are %d vectors of %d texts", len(vectors), len(texts))
	}
	if u == nil {
		return vectors, nil, nil
	}
	return vectors, usageOf(u), nil
}

// text is what is embedded: the title, if there is one, and all parts, a line each.
func (e *embedRequest) text(at string) (string, error) {
	if e.Content == nil || len(e.Content.Parts) == 0 {
		return "", invalid(at+"content", "it is missing, or has no parts")
	}
	var lines []string
	if e.Title != "" {
		lines = append(lines, e.Title)
	}
	for i := range e.Content.Parts {
		p, at := &e.Content.Parts[i], fmt.Sprintf("%scontent.parts[%d]", at, i)
		if err := p.check(at); err != nil {
			return "", err
		}
		switch {
		case p.Text != nil:
			lines = append(lines, *p.Text)
		case p.kinds() > 0:
			return "", unsupported(at, "only text is embedded")
		}
	}
	text := strings.Join(lines, "\n")
	if strings.TrimSpace(text) == "" {
		return "", invalid(at+"content", "it has no text")
	}
	return text, nil
}
