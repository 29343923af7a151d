package local

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// scratch is memory that requests take while what they hold is opened and made tokens,
// in the order that they came.
type scratch struct {
	limit int64         // 0 is not known: none is refused
	most  time.Duration // that one may wait; 0 is as long as it takes

	mu      sync.Mutex
	used    int64
	waiting []*claim
}

type claim struct {
	bytes   int64
	granted chan struct{}
}

const (
	// scratchShare is the part of the memory that is for scratch; contexts have the
	// rest.
	scratchShare = 8
	// leastScratch is enough to find out that a text is too long.
	leastScratch = 4 << 20
)

// take sets memory aside until release is called, which may be more than once. It waits
// for others to release theirs, but not for longer than is allowed.
func (s *scratch) take(ctx context.Context, bytes int64) (release func(), err error) {
	if s.limit <= 0 || bytes <= 0 {
		return func() {}, nil
	}
	if bytes > s.limit {
		return nil, backend.Errorf(backend.TooLarge, "opening and tokenising the request takes about %d bytes of memory; %d may be used for that: send less at once, or start the server with a larger --memory", bytes, s.limit)
	}
	release = sync.OnceFunc(func() { s.give(bytes) })
	s.mu.Lock()
	if len(s.waiting) == 0 && s.used+bytes <= s.limit {
		s.used += bytes
		s.mu.Unlock()
		return release, nil
	}
	c := &claim{bytes, make(chan struct{})}
	s.waiting = append(s.waiting, c)
	s.mu.Unlock()
	var late <-chan time.Time
	if s.most > 0 {
		timer := time.NewTimer(s.most)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-c.granted:
		return release, nil
	case <-late:
		used := s.forget(c)
		return nil, busy(s.most/2, "opening and tokenising the request takes about %d bytes of memory, and others use %d of the %d that there are for that: try again later", bytes, used, s.limit)
	case <-ctx.Done():
		s.forget(c)
		return nil, ended(ctx.Err())
	}
}

// forget gives up a claim, or what it has got meanwhile, and returns what is in use.
func (s *scratch) forget(c *claim) (used int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	used = s.used
	if i := slices.Index(s.waiting, c); i >= 0 {
		s.waiting = slices.Delete(s.waiting, i, i+1)
	} else {
		s.used -= c.bytes
	}
	s.grant()
	return used
}

func (s *scratch) give(bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used -= bytes
	s.grant()
}

// grant gives those memory for whom there is; s.mu is held.
func (s *scratch) grant() {
	for len(s.waiting) > 0 && s.used+s.waiting[0].bytes <= s.limit {
		s.used += s.waiting[0].bytes
		close(s.waiting[0].granted)
		s.waiting = s.waiting[1:]
	}
}

const (
	// tokenMemory is what a byte of text takes until it is tokens, besides the text
	// itself: as a part, joined with others, in pieces, and as tokens.
	tokenMemory = 6
	// openMemory is the most that a picture, film or recording takes, which are not
	// read whole.
	openMemory = 64 << 20
	// freeText is what texts may have without being counted: there are only so many
	// requests at once.
	freeText = 64 << 10
)

// of is what opening a prompt's units takes. Pictures, films and recordings are perceived
// one after the other, and in what memory there is: they alone are never too much.
func (s *scratch) of(units []*unit) int64 {
	texts, senses := int64(0), int64(0)
	for _, u := range units {
		switch {
		case u.size <= freeText:
		case u.whole():
			texts += textScratch(u.size)
		default:
			senses = max(senses, min(u.size, openMemory))
		}
	}
	return max(texts, min(texts+senses, s.limit))
}

// whole reports whether a unit is in memory as a whole when it is opened.
func (u *unit) whole() bool {
	if u.text != nil {
		return true
	}
	kind, _, _ := strings.Cut(http.DetectContentType(u.head()), ";")
	switch kind {
	case "application/pdf", "application/zip", "application/x-gzip":
		return true
	}
	return strings.HasPrefix(kind, "text/")
}

// scratchFor is what the dialogue of a request takes.
func (b *Backend) scratchFor(r *backend.Request) int64 {
	n := int64(len(r.System))
	messages := func(list []backend.Message) {
		for i := range list {
			for _, p := range list[i].Parts {
				n += int64(len(p.Text) + len(p.Data))
				if p.File != "" {
					n += b.files.size(r.Owner, p.File)
				}
			}
		}
	}
	messages(r.Messages)
	if r.Context != "" {
		// One that is not there is found out where it is used.
		if s, err := b.stored.find(r.Owner, r.Context); err == nil {
			messages(s.Messages)
		}
	}
	return textScratch(n)
}

func textScratch(bytes int64) int64 {
	if bytes <= freeText {
		return 0
	}
	return bytes * tokenMemory
}

// size is how long a file is, 0 if there is none.
func (f *files) size(owner, id string) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r, err := f.find(owner, id); err == nil {
		return r.Size
	}
	return 0
}
