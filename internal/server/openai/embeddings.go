package openai

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/http"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// maxInputs bounds how many texts one request may have embedded.
const maxInputs = 2048

type embeddingsRequest struct {
	Model          string          `json:"model"`
	Input          json.RawMessage `json:"input"`
	Dimensions     *int            `json:"dimensions"`
	EncodingFormat string          `json:"encoding_format"`
}

type wireEmbedding struct {
	Object    string `json:"object"`
	Index     int    `json:"index"`
	Embedding any    `json:"embedding"` // numbers, or base64 of little-endian float32
}

func (h *handler) embeddings(w http.ResponseWriter, r *http.Request) error {
	var body embeddingsRequest
	if err := readJSON(r, &body); err != nil {
		return err
	}
	m, err := h.model(body.Model)
	if err != nil {
		return err
	}
	if !m.Embeds {
		return backend.NoEmbeddings(m.ID, h.b.Models())
	}
	if err := oneOf("encoding_format", body.EncodingFormat, "", "float", "base64"); err != nil {
		return err
	}
	texts, err := texts(body.Input, "input")
	if err != nil {
		return err
	}
	dims := 0
	if body.Dimensions != nil {
		if dims = *body.Dimensions; dims < 1 || dims > m.EmbedDims {
			return invalid("dimensions", "%d is not from 1 to the %d that %s has", dims, m.EmbedDims, m.ID)
		}
	}
	vectors, usage, err := h.b.Embed(r.Context(), m.ID, texts, dims)
	if err != nil {
		return err
	}
	data := make([]wireEmbedding, len(vectors))
	for i, v := range vectors {
		data[i] = wireEmbedding{"embedding", i, v}
		if body.EncodingFormat == "base64" {
			data[i].Embedding = packed(v)
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"object": "list", "model": m.ID, "data": data,
		"usage": map[string]int{"prompt_tokens": usage.Prompt, "total_tokens": usage.Prompt},
	})
	return nil
}

// packed writes a vector as base64.
func packed(v []float32) string {
	out := make([]byte, 0, 4*len(v))
	for _, x := range v {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(x))
	}
	return base64.StdEncoding.EncodeToString(out)
}

// texts reads a string or a list of strings. Ids of tokens are refused: which model's
// they are cannot be told.
func texts(raw json.RawMessage, at string) ([]string, error) {
	if isNull(raw) {
		return nil, invalid(at, "it is missing")
	}
	var list []json.RawMessage
	if raw[0] == '[' {
		if err := decode(raw, at, &list); err != nil {
			return nil, err
		}
		if len(list) == 0 {
			return nil, invalid(at, "it is empty")
		}
		if len(list) > maxInputs {
			return nil, invalid(at, "there are %d texts, and at most %d are allowed", len(list), maxInputs)
		}
		if c := list[0][0]; c == '[' || c == '-' || c >= '0' && c <= '9' {
			return nil, &backend.Error{Kind: backend.Unsupported, Param: at,
				Message: fmt.Sprintf("%s: ids of tokens are not supported; send text (in lm-evaluation-harness: tokenized_requests=False)", at)}
		}
	} else if raw[0] != '"' {
		return nil, invalid(at, "a string or a list of strings is wanted")
	}
	return stringOrList(raw, at)
}
