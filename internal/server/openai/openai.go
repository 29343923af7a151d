package openai

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// Options say what a handler may do. The zero value is a good default.
type Options struct {
	// AllowRemote lets requests name pictures, films and files by http and https
	// addresses, which are then fetched from public hosts alone.
	AllowRemote bool
	MaxPart     int64        // bytes of one part of a message, decoded or fetched; 0 is 1 GiB
	Log         *slog.Logger // errors that the client is not told the reason of; nil for none
}

// handler serves the API.
type handler struct {
	b         backend.Backend
	o         Options
	fetcher   *fetcher
	responses *responseStore
	keepAlive time.Duration // between comments on a stream that has nothing to say
}

// New returns a handler of /v1/ and /v1beta/openai/. Bodies are as large as who
// mounts it lets them be (http.MaxBytesReader).
func New(b backend.Backend, o Options) http.Handler {
	return newHandler(b, o).mux()
}

func newHandler(b backend.Backend, o Options) *handler {
	if o.MaxPart == 0 {
		o.MaxPart = 1 << 30
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &handler{b, o, newFetcher(o.MaxPart), newResponseStore(), 5 * time.Second}
}

// route answers one request; an error that it returns has not been sent yet.
type route func(w http.ResponseWriter, r *http.Request) error

func (h *handler) mux() http.Handler {
	mux := http.NewServeMux()
	for path, methods := range map[string]map[string]route{
		"models":                     {"GET": h.listModels},
		"models/{id...}":             {"GET": h.getModel},
		"chat/completions":           {"POST": h.chat},
		"completions":                {"POST": h.completions},
		"responses":                  {"POST": h.createResponse},
		"responses/input_tokens":     {"POST": h.countResponse},
		"responses/{id}":             {"GET": h.getResponse, "DELETE": h.deleteResponse},
		"responses/{id}/input_items": {"GET": h.listInputItems},
		"embeddings":                 {"POST": h.embeddings},
		"files":                      {"GET": h.listFiles, "POST": h.createFile},
		"files/{id}":                 {"GET": h.getFile, "DELETE": h.deleteFile},
		"files/{id}/content":         {"GET": h.fileContent},
	} {
		for _, prefix := range []string{"/v1/", "/v1beta/openai/"} {
			mux.HandleFunc(prefix+path, h.serve(methods))
		}
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		WriteError(w, backend.Errorf(backend.NotFound, "there is no %s here", r.URL.Path))
	})
	return mux
}

// serve chooses by method, and answers with the error if there is one.
func (h *handler) serve(methods map[string]route) http.HandlerFunc {
	allowed := make([]string, 0, len(methods))
	for m := range methods {
		allowed = append(allowed, m)
	}
	slices.Sort(allowed)
	return func(w http.ResponseWriter, r *http.Request) {
		f := methods[r.Method]
		if f == nil && r.Method == http.MethodHead {
			f = methods[http.MethodGet]
		}
		if f == nil {
			e := backend.Errorf(backend.Invalid, "%s takes %s, not %s", r.URL.Path, strings.Join(allowed, " and "), r.Method)
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			body, _ := wire(e)
			writeJSON(w, http.StatusMethodNotAllowed, map[string]wireError{"error": body})
			return
		}
		if err := f(w, r); err != nil {
			h.fail(w, r, err)
		}
	}
}

// fail answers with an error, unless nobody is there to read it.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	if left(r.Context(), err) {
		return
	}
	e := asError(err)
	h.logError(r.Context(), e)
	WriteError(w, e)
}

func (h *handler) logError(ctx context.Context, e *backend.Error) {
	if e.Kind == backend.Internal {
		h.o.Log.ErrorContext(ctx, "openai: request failed", "error", errors.Join(errors.New(e.Message), e.Err))
	}
}

// left says whether an error is that the client has left.
func left(ctx context.Context, err error) bool {
	return errors.Is(ctx.Err(), context.Canceled) && errors.Is(err, context.Canceled)
}

// readJSON reads a request's body into v.
func readJSON(r *http.Request, v any) error {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		var tooLarge *http.MaxBytesError
		var known *backend.Error
		if errors.As(err, &tooLarge) || errors.As(err, &known) {
			return err
		}
		return &backend.Error{Kind: backend.Invalid, Message: "the body could not be read to its end", Err: err}
	}
	return decode(data, "", v)
}

// decode reads JSON into v; what is wrong is said with the field's name below path.
func decode(data []byte, path string, v any) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return invalid(path, "the body is empty: it must be a JSON object")
	}
	err := json.Unmarshal(data, v)
	if err == nil {
		return nil
	}
	var typ *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	var e *backend.Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.As(err, &typ):
		return invalid(joinPath(path, embedded.Replace(typ.Field)), "this cannot be a JSON %s", typ.Value)
	case errors.As(err, &syntax):
		return invalid(path, "this is not JSON: %v, at byte %d", err, syntax.Offset)
	}
	return invalid(path, "this is not JSON: %v", err)
}

// embedded takes the names of structs that others embed out of a field's path: they
// are not in the JSON.
var embedded = strings.NewReplacer("sampling.", "", "wireSchema.", "", "allowedTools.", "")

// joinPath writes where a field is: "messages[2]" and "content" are
// "messages[2].content".
func joinPath(path, field string) string {
	switch {
	case path == "":
		return field
	case field == "" || field[0] == '[':
		return path + field
	}
	return path + "." + field
}

// isNull says whether a field is left out or null.
func isNull(data json.RawMessage) bool {
	return len(data) == 0 || string(data) == "null"
}

// model finds the model that a request names; "" is the default one.
func (h *handler) model(id string) (backend.Model, error) {
	id = strings.TrimPrefix(id, "models/")
	if id == "" {
		if all := h.b.Models(); len(all) > 0 {
			return all[0], nil
		}
	}
	m, err := h.b.Model(id)
	if err != nil {
		if e := asError(err); e.Kind == backend.NotFound && e.Param == "" {
			named := *e
			named.Param = "model"
			return m, &named
		}
	}
	return m, err
}

type wireModel struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
	// What clients of local servers ask for besides.
	Name        string   `json:"name,omitempty"`
	Description string   `json:"description,omitempty"`
	MaxModelLen int      `json:"max_model_len,omitempty"`
	MaxOutput   int      `json:"max_output_tokens,omitempty"`
	Input       []string `json:"input_modalities,omitempty"`
	EmbedDims   int      `json:"embedding_dimensions,omitempty"`
}

func modelOf(m backend.Model) wireModel {
	out := wireModel{
		ID: m.ID, Object: "model", Created: unix(m.Created), OwnedBy: "handscroll",
		Name: m.Name, Description: m.Description, MaxModelLen: m.InputLimit, MaxOutput: m.OutputLimit,
	}
	for _, k := range m.Media {
		out.Input = append(out.Input, strings.ToLower(string(k)))
	}
	if m.Embeds {
		out.EmbedDims = m.EmbedDims
	}
	return out
}

// unix is a time in seconds, 0 for none.
func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// page is a page of a list, or all of one.
type page struct {
	Object  string  `json:"object"` // "list"
	Data    any     `json:"data"`
	FirstID *string `json:"first_id,omitempty"`
	LastID  *string `json:"last_id,omitempty"`
	HasMore *bool   `json:"has_more,omitempty"`
}

func (h *handler) listModels(w http.ResponseWriter, r *http.Request) error {
	models := []wireModel{}
	for _, m := range h.b.Models() {
		models = append(models, modelOf(m))
	}
	writeJSON(w, http.StatusOK, page{Object: "list", Data: models})
	return nil
}

func (h *handler) getModel(w http.ResponseWriter, r *http.Request) error {
	m, err := h.model(r.PathValue("id"))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, modelOf(m))
	return nil
}
