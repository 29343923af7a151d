package gemini

import (
	"net/http"
	"strconv"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
)

type model struct {
	Name             string   `json:"name"`
	BaseModelID      string   `json:"baseModelId"`
	Version          string   `json:"version"`
	DisplayName      string   `json:"displayName"`
	Description      string   `json:"description,omitempty"`
	InputTokenLimit  int      `json:"inputTokenLimit"`
	OutputTokenLimit int      `json:"outputTokenLimit"`
	Methods          []string `json:"supportedGenerationMethods"`
	Temperature      float64  `json:"temperature"` // where a request does not say
	MaxTemperature   float64  `json:"maxTemperature"`
	TopP             float64  `json:"topP"`
	TopK             int      `json:"topK,omitempty"`
	// What the public API does not have.
	Native     bool               `json:"native"`
	Modalities []backend.Modality `json:"inputModalities,omitempty"`
	EmbedDims  int                `json:"embeddingDimensions,omitempty"`
}

// maxTemperature is that of the public API.
const maxTemperature = 2

func modelOf(m backend.Model) model {
	methods := []string{"generateContent", "countTokens", "createCachedContent"}
	if m.Embeds {
		methods = append(methods, "embedContent", "batchEmbedContents")
	}
	name := m.Name
	if name == "" {
		name = m.ID
	}
	return model{
		Name: "models/" + m.ID, BaseModelID: m.ID, Version: "1", DisplayName: name, Description: m.Description,
		InputTokenLimit: m.InputLimit, OutputTokenLimit: m.OutputLimit, Methods: methods,
		MaxTemperature: maxTemperature, TopP: 1,
		Native: m.Native, Modalities: m.Media, EmbedDims: m.EmbedDims,
	}
}

func (h *handler) listModels(w http.ResponseWriter, r *http.Request, _ string) error {
	type listed struct {
		backend.Model
		place int
	}
	// Models keep the backend's order, the default first: their place is their number.
	var all []listed
	for i, m := range h.b.Models() {
		all = append(all, listed{m, i})
	}
	list, next, err := page(r, all, func(l *listed) place { return place{time.Unix(0, 0), numbered(l.place)} })
	if err != nil {
		return err
	}
	out := struct {
		Models []model `json:"models"`
		Next   string  `json:"nextPageToken,omitempty"`
	}{Models: []model{}, Next: next}
	for _, l := range list {
		out.Models = append(out.Models, modelOf(l.Model))
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

// numbered writes n so that strings sort as their numbers do.
func numbered(n int) string { return strconv.Itoa(1_000_000 + n) }

func (h *handler) getModel(w http.ResponseWriter, _ *http.Request, id string) error {
	m, err := h.b.Model(id)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, modelOf(m))
	return nil
}
