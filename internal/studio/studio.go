package studio

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed web
var web embed.FS

// policy lets the page load what it came with and speak to its own server, no
// other. Blobs are files that the user dropped or that were fetched with a key:
// pictures, films, sound and the browser's own PDF viewer. There is no inline
// script or style.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
	"img-src 'self' blob:; media-src 'self' blob:; frame-src 'self' blob:; object-src 'self' blob:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// prefix is where assets live, followed by the hash of all of them.
const prefix = "/studio/"

// types are the content types of assets. The system's table is not asked: on some
// systems it calls scripts text/plain, which browsers refuse to run.
var types = map[string]string{
	".css":  "text/css; charset=utf-8",
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
	"":      "text/plain; charset=utf-8", // licences
}

type asset struct {
	body []byte
	mime string
}

// site is the page and its assets.
type site struct {
	page   []byte
	etag   string
	folder string           // of the assets: prefix, hash and a slash
	assets map[string]asset // by URL
}

// Handler returns a handler of the page, at /, and of its assets, below /studio/.
// Anything else is not found.
func Handler() http.Handler {
	root, err := fs.Sub(web, "web")
	if err != nil {
		panic(err)
	}
	s, err := load(root)
	if err != nil {
		panic(err) // embedded files are always there
	}
	return s
}

// load reads a site: index.html, in which {{assets}} stands for the folder of the
// other files.
func load(root fs.FS) (*site, error) {
	files := make(map[string][]byte)
	all := sha256.New()
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		files[name] = b
		sum := sha256.Sum256(b)
		all.Write([]byte(name))
		all.Write(sum[:])
		return nil
	})
	if err != nil {
		return nil, err
	}
	hash := hex.EncodeToString(all.Sum(nil))[:16]
	s := &site{
		etag:   `"` + hash + `"`,
		folder: prefix + hash + "/",
		assets: make(map[string]asset),
	}
	for name, b := range files {
		if name == "index.html" {
			s.page = bytes.ReplaceAll(b, []byte("{{assets}}"), []byte(s.folder))
			continue
		}
		s.assets[s.folder+name] = asset{b, types[path.Ext(name)]}
	}
	if s.page == nil {
		return nil, &fs.PathError{Op: "open", Path: "index.html", Err: fs.ErrNotExist}
	}
	return s, nil
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Security-Policy", policy)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "the studio is only read", http.StatusMethodNotAllowed)
		return
	}
	switch a, ok := s.assets[r.URL.Path]; {
	case r.URL.Path == "/":
		// Each visit asks whether it is still the same page.
		h.Set("Cache-Control", "no-cache")
		h.Set("Content-Type", types[".html"])
		h.Set("ETag", s.etag)
		serve(w, r, s.page)
	case ok:
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("Content-Type", a.mime)
		h.Set("ETag", s.etag)
		serve(w, r, a.body)
	case strings.TrimSuffix(r.URL.Path, "/") == "/studio":
		h.Set("Cache-Control", "no-cache")
		http.Redirect(w, r, "/", http.StatusSeeOther)
	default:
		h.Set("Cache-Control", "no-store")
		http.NotFound(w, r)
	}
}

// serve answers with b: conditional and range requests too.
func serve(w http.ResponseWriter, r *http.Request, b []byte) {
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
}
