package server

import (
	"slices"
	"strings"
)

// family is whose form answers have.
type family int

const (
	site    family = iota // the studio
	control               // health and metrics
	gemini
	openai
)

func familyOf(path string) family {
	switch {
	case within(path, "/v1beta/openai"), within(path, "/v1"):
		return openai
	case within(path, "/v1beta"), within(path, "/upload"):
		return gemini
	case path == "/healthz", path == "/readyz", path == "/metrics":
		return control
	}
	return site
}

func within(path, dir string) bool {
	rest, ok := strings.CutPrefix(path, dir)
	return ok && (rest == "" || rest[0] == '/')
}

// The words of routes. What a path has besides is an ID, or not served.
var (
	collections = strings.Fields("models files cachedContents chat completions responses embeddings uploads")
	actions     = strings.Fields("completions content parts complete cancel input_items")
	verbs       = strings.Fields("generateContent streamGenerateContent countTokens embedContent batchEmbedContents download register")
)

// routeOf returns the path with {id} for what is one, for logs and metrics: there are
// few of them, whatever clients ask for.
func routeOf(path string) string {
	f := familyOf(path)
	switch f {
	case control:
		return path
	case site:
		return "/"
	}
	prefix := "/v1"
	for _, p := range []string{"/v1beta/openai", "/upload/v1beta", "/v1beta"} {
		if within(path, p) {
			prefix = p
			break
		}
	}
	rest, ok := strings.CutPrefix(path, prefix+"/")
	parts := strings.Split(rest, "/")
	if !ok || len(parts) > 3 || !slices.Contains(collections, parts[0]) {
		return prefix + "/"
	}
	route := prefix + "/" + parts[0]
	for i, p := range parts[1:] {
		id, verb, _ := strings.Cut(p, ":")
		switch {
		case id == "":
			return prefix + "/"
		case slices.Contains(actions, p) && (i == 1 || parts[0] == "chat"):
			route += "/" + p
		case i == 1:
			return prefix + "/"
		case slices.Contains(verbs, verb):
			route += "/{id}:" + verb
		default:
			route += "/{id}"
		}
	}
	return route
}

// takesFile reports whether a request's body may be as long as a file.
func takesFile(path string) bool {
	route := routeOf(path)
	return within(path, "/upload") || strings.HasSuffix(route, "/files") || strings.HasSuffix(route, "/parts")
}
