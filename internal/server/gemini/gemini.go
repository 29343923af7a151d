package gemini

import (
	"context"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// Options say how the family is served. The zero value is a good default.
type Options struct {
	// MaxBody bounds the JSON of a request, in bytes; 0 is 100 MiB, which the public
	// API takes. Uploads are bounded by the backend.
	MaxBody int64
	Log     *slog.Logger // of errors that are the server's own; nil discards them
}

// maxBody is the default of Options.MaxBody.
const maxBody = 100 << 20

type handler struct {
	b       backend.Backend
	maxBody int64
	log     *slog.Logger
}

// New returns a handler of /v1beta/ and /upload/v1beta/.
func New(b backend.Backend, o Options) http.Handler {
	h := &handler{b, o.MaxBody, o.Log}
	if h.maxBody == 0 {
		h.maxBody = maxBody
	}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	return h
}

// endpoint serves requests of one place. An error that it returns has not been written.
type endpoint func(h *handler, w http.ResponseWriter, r *http.Request, id string) error

// endpoints are by method, collection, whether there is an ID, and verb.
var endpoints = map[string]endpoint{
	"GET models":                           (*handler).listModels,
	"GET models/ID":                        (*handler).getModel,
	"POST models/ID:generateContent":       (*handler).generate,
	"POST models/ID:streamGenerateContent": (*handler).stream,
	"POST models/ID:countTokens":           (*handler).count,
	"POST models/ID:embedContent":          (*handler).embed,
	"POST models/ID:batchEmbedContents":    (*handler).batchEmbed,

	"POST upload":            (*handler).upload,
	"PUT upload":             (*handler).upload,
	"GET files":              (*handler).listFiles,
	"GET files/ID":           (*handler).getFile,
	"DELETE files/ID":        (*handler).deleteFile,
	"GET files/ID:download":  (*handler).download,
	"HEAD files/ID:download": (*handler).download,

	"GET cachedContents":       (*handler).listCached,
	"POST cachedContents":      (*handler).createCached,
	"GET cachedContents/ID":    (*handler).getCached,
	"PATCH cachedContents/ID":  (*handler).patchCached,
	"DELETE cachedContents/ID": (*handler).deleteCached,
}

// find is the key of a path in endpoints, without its method, and the ID in it.
func find(path string) (key, id string) {
	if path == "/upload/v1beta/files" {
		return "upload", ""
	}
	rest, ok := strings.CutPrefix(path, "/v1beta/")
	if !ok {
		return "", ""
	}
	collection, id, has := strings.Cut(rest, "/")
	if !has {
		return collection, ""
	}
	// For a file whose address is no https the SDK of npm asks for files/ADDRESS:download.
	if at := strings.LastIndex(id, "/v1beta/files/"); at >= 0 && collection == "files" && strings.HasPrefix(id, "http:/") {
		id = id[at+len("/v1beta/files/"):]
	}
	verb := ""
	if i := strings.LastIndexByte(id, ':'); i >= 0 {
		id, verb = id[:i], id[i:]
	}
	if id == "" || strings.Contains(id, "/") {
		return "", ""
	}
	return collection + "/ID" + verb, id
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key, id := find(r.URL.Path)
	serve := endpoints[r.Method+" "+key]
	if serve == nil {
		WriteError(w, backend.Errorf(backend.NotFound, "%s %s: there is no such method; there are models, files and cachedContents below /v1beta/, and uploads at /upload/v1beta/files", r.Method, clip(r.URL.Path)))
		return
	}
	timeout, err := serverTimeout(r)
	if err == nil {
		if timeout > 0 {
			ctx, cancel := context.WithTimeout(r.Context(), timeout)
			defer cancel()
			r = r.WithContext(ctx)
		}
		err = serve(h, w, r, id)
	}
	if err != nil {
		e, s := h.failure(r, err)
		writeStatus(w, e, s)
	}
}

// serverTimeout is the time that a client gives a request, 0 if it does not say.
func serverTimeout(r *http.Request) (time.Duration, error) {
	text := r.Header.Get("X-Server-Timeout")
	if text == "" {
		return 0, nil
	}
	s, err := strconv.ParseFloat(text, 64)
	if err != nil || !(s > 0) {
		return 0, invalid("X-Server-Timeout", "it is %q, and must be a number of seconds above 0", clip(text))
	}
	return time.Duration(min(s, math.MaxInt32) * float64(time.Second)), nil
}

// owner is whose files and contexts a request can see.
func owner(r *http.Request) string { return backend.Owner(r.Context()) }

// wants reports whether a client asks for an extra, by query or by header.
func wants(r *http.Request, query, header string) bool {
	for _, s := range []string{r.URL.Query().Get(query), r.Header.Get(header)} {
		if yes, err := strconv.ParseBool(s); err == nil && yes {
			return true
		}
	}
	return false
}

// origin is the address that a client has reached the server by.
func origin(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}
