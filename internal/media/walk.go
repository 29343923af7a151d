package media

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// dir reads every file below root.
func (o *opener) dir(root string) error {
	w := walk{opener: o, frames: true, visit: func(path, reason string) error {
		if reason != "" {
			o.skip(path, reason)
			return nil
		}
		return o.found(path, generated)
	}}
	return w.root(root)
}

// walk goes through a directory.
type walk struct {
	*opener
	// visit is called with every file below the root, in lexical order, and the
	// reason to leave it out if there is one.
	visit  func(path, reason string) error
	frames bool // whether directories of frames are films
}

// root walks root, which may be a link. That it cannot be listed is an error.
func (w *walk) root(root string) error {
	ig, err := newIgnores(root)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		return fmt.Errorf("media: %w", err)
	}
	return w.list(filepath.Clean(root), entries, ig)
}

// list visits the entries of dir and what is below them. What cannot be listed
// is skipped. Links to directories are not followed.
func (w *walk) list(dir string, entries []os.DirEntry, ig *ignores) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	if done, err := w.film(dir, entries); done || err != nil {
		return err
	}
	ig, err := ig.with(dir)
	if err != nil {
		w.skip(filepath.Join(dir, ".gitignore"), "not heeded: "+reason(err))
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch e.Name() {
		case ".git", ".hg", ".svn":
			continue
		case "node_modules":
			w.skip(path, reasonVendored)
			continue
		}
		ignored := ""
		if ig.match(e.Name(), e.IsDir()) {
			ignored = reasonIgnored
		}
		switch {
		case !e.IsDir():
			err = w.visit(path, ignored)
		case ignored != "":
			w.skip(path, ignored)
			continue
		default:
			var below []os.DirEntry
			if below, err = os.ReadDir(path); err != nil {
				w.skip(path, reason(err))
				continue
			}
			err = w.list(path, below, ig.below(e.Name()))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// film decodes a directory of frames, and reports whether it was one.
func (w *walk) film(dir string, entries []os.DirEntry) (bool, error) {
	if !w.frames || w.opts.FrameDir == nil {
		return false, nil
	}
	names := frames(entries)
	if names == nil {
		return false, nil
	}
	if !w.first(dir) {
		return true, nil
	}
	parts, err := w.opts.FrameDir(w.ctx, dir, names, w.limits())
	if err != nil {
		if w.ctx.Err() != nil {
			return true, w.ctx.Err()
		}
		w.skip(dir, strings.TrimPrefix(reason(err), dir+": "))
		return true, nil
	}
	w.parts = append(w.parts, parts...)
	return true, nil
}

// frameName is that of a numbered picture.
var frameName = regexp.MustCompile(`(?i)^(.*?)([0-9]{1,18})(\.(?:png|jpe?g|webp|bmp|tiff?))$`)

// frames returns the names of a film's frames in their order, or nil if entries
// hold anything else. Frames are at least three pictures whose names differ in
// their number alone, and the numbers are evenly spaced: a folder of photographs
// has gaps.
func frames(entries []os.DirEntry) []string {
	type frame struct {
		number int64
		name   string
	}
	var all []frame
	var around [2]string
	for _, e := range entries {
		m := frameName.FindStringSubmatch(e.Name())
		if m == nil || !e.Type().IsRegular() || all != nil && around != [2]string{m[1], m[3]} {
			return nil
		}
		around = [2]string{m[1], m[3]}
		n, err := strconv.ParseInt(m[2], 10, 64)
		if err != nil {
			return nil
		}
		all = append(all, frame{n, e.Name()})
	}
	if len(all) < 3 {
		return nil
	}
	slices.SortFunc(all, func(a, b frame) int { return int(min(max(a.number-b.number, -1), 1)) })
	names := make([]string, len(all))
	for i, f := range all {
		if i > 0 && (f.number-all[i-1].number != all[1].number-all[0].number || f.number == all[i-1].number) {
			return nil
		}
		names[i] = f.name
	}
	return names
}

// generated is a veto against what programs wrote for programs.
func generated(path string, head []byte) string {
	name := strings.ToLower(filepath.Base(path))
	switch name {
	case "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "cargo.lock", "go.sum",
		"poetry.lock", "pipfile.lock", "uv.lock", "composer.lock", "gemfile.lock", "flake.lock", "pubspec.lock", "mix.lock":
		return "lock file"
	}
	for _, end := range []string{".min.js", ".min.mjs", ".min.css"} {
		if strings.HasSuffix(name, end) {
			return "minified file"
		}
	}
	for _, end := range []string{".js.map", ".mjs.map", ".cjs.map", ".css.map"} {
		if strings.HasSuffix(name, end) {
			return "source map"
		}
	}
	switch filepath.Ext(name) {
	case ".md", ".txt", ".rst", ".adoc":
		return "" // prose may speak of such marks
	}
	if generatedMark.Match(head) {
		return reasonGenerated
	}
	return ""
}

// generatedMark is a comment that says so, at the beginning of a line.
var generatedMark = regexp.MustCompile(`(?m)^[ \t]*(?://|#|/?\*|--|;|%|<!--|"""|\{-)[^\n]*(?:Code generated .*DO NOT EDIT|@generated\b)`)
