package server

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// exposed are the headers of answers that pages of other origins may read.
const exposed = "X-Request-Id, Retry-After, X-Goog-Upload-URL, X-Goog-Upload-Status, X-Goog-Upload-Size-Received, X-Goog-Upload-Chunk-Granularity"

// gate keeps out what comes by way of a browser from pages that have no business here.
type gate struct {
	hosts []string // that Host may say besides those of this machine
	cors  []string // origins
	any   bool     // every origin
	cross *http.CrossOriginProtection
}

// newGate checks the origins, each as in https://example.org:8443, or "*".
func newGate(hosts, origins []string) (*gate, error) {
	g := &gate{hosts: hosts, cors: origins, cross: http.NewCrossOriginProtection()}
	for _, o := range origins {
		if o == "*" {
			g.any = true
			continue
		}
		if u, err := url.Parse(o); err != nil || u.Host == "" || o != u.Scheme+"://"+u.Host {
			return nil, fmt.Errorf("server: origin %q: want scheme, host and perhaps port, such as http://localhost:3000, or *", o)
		}
		if err := g.cross.AddTrustedOrigin(o); err != nil {
			return nil, fmt.Errorf("server: origin %q: %w", o, err)
		}
	}
	return g, nil
}

// check writes the headers that browsers go by. It refuses, or reports that a preflight
// request is answered. loopback says that only programs on this machine can connect.
func (g *gate) check(w http.ResponseWriter, r *http.Request, loopback bool) (done bool, err *backend.Error) {
	// A page of another site whose name was made to lead here (DNS rebinding) is of
	// the same origin to its browser. But Host has its name.
	if loopback && !g.knows(r.Host) {
		return false, backend.Errorf(backend.Forbidden, "Host %q is not of this machine; allow it with --host if it is meant to lead here", r.Host)
	}
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	if f := familyOf(r.URL.Path); f == gemini || f == openai {
		// What was uploaded is not to run as a page of this origin, nor to be shown in
		// one of another.
		h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
	}
	origin := r.Header.Get("Origin")
	allowed := origin != "" && (g.any || slices.Contains(g.cors, origin))
	if len(g.cors) > 0 {
		h.Add("Vary", "Origin")
	}
	if allowed {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Expose-Headers", exposed)
	}
	if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
		if !allowed {
			return false, foreign(origin)
		}
		h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE")
		if ask := r.Header.Get("Access-Control-Request-Headers"); ask != "" {
			h.Set("Access-Control-Allow-Headers", ask)
		}
		h.Set("Access-Control-Max-Age", "600")
		w.WriteHeader(http.StatusNoContent)
		return true, nil
	}
	if !allowed && g.cross.Check(r) != nil {
		return false, foreign(origin)
	}
	return false, nil
}

func foreign(origin string) *backend.Error {
	return backend.Errorf(backend.Forbidden, "pages of %q may not do this; allow them with --cors if they are yours", origin)
}

// knows reports whether a Host header is one of this machine's.
func (g *gate) knows(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.Trim(name, "[]"))
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	if ip := net.ParseIP(name); ip != nil {
		return ip.IsLoopback()
	}
	return slices.ContainsFunc(g.hosts, func(h string) bool { return strings.EqualFold(h, name) || strings.EqualFold(h, host) })
}

// secretOf returns the key that a request presents, "" for none.
func secretOf(r *http.Request) string {
	if s := r.Header.Get("X-Goog-Api-Key"); s != "" {
		return s
	}
	if scheme, s, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(s)
	}
	return r.URL.Query().Get("key")
}

// isLoopback reports whether only this machine can connect to an address to listen on.
func isLoopback(addr string) (bool, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false, fmt.Errorf("server: address %q: want host:port, such as 127.0.0.1:8080", addr)
	}
	if strings.EqualFold(host, "localhost") {
		return true, nil
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback(), nil
}

// errKey is the answer to a wrong key, or to none.
func errKey(secret string) *backend.Error {
	if secret == "" {
		return backend.Errorf(backend.Unauthorized, "this server needs an API key: send it as x-goog-api-key, as 'Authorization: Bearer KEY' or as ?key=")
	}
	return backend.Errorf(backend.Unauthorized, "the API key is not valid here: make one with 'handscroll keys add NAME' where the server runs")
}
