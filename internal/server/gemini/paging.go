package gemini

import (
	"cmp"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	defaultPage = 50
	maxPage     = 1000
)

// place is where in a list something stands: newest first, and by ID among those of one
// moment. It holds when others are added or deleted between pages.
type place struct {
	created time.Time
	id      string
}

func (p place) compare(q place) int {
	return cmp.Or(q.created.Compare(p.created), cmp.Compare(p.id, q.id))
}

func (p place) token() string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(p.created.UnixNano(), 10) + " " + p.id))
}

func parseToken(token string) (place, error) {
	text, err := base64.RawURLEncoding.DecodeString(token)
	nanos, id, ok := strings.Cut(string(text), " ")
	n, nerr := strconv.ParseInt(nanos, 10, 64)
	if err != nil || nerr != nil || !ok {
		return place{}, invalid("pageToken", "it is none of this server's; use nextPageToken of the page before, or leave it out")
	}
	return place{time.Unix(0, n), id}, nil
}

// page sorts list and returns the part of it that a request asks for, and the token of
// the next part, "" if there is none.
func page[T any](r *http.Request, list []T, at func(*T) place) (out []T, next string, err error) {
	q := r.URL.Query()
	size := defaultPage
	if s := cmp.Or(q.Get("pageSize"), q.Get("page_size")); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 {
			return nil, "", invalid("pageSize", "it is %q, and must be a number from 1 to %d", clip(s), maxPage)
		}
		if n > 0 {
			size = min(n, maxPage)
		}
	}
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b T) int { return at(&a).compare(at(&b)) })
	if token := cmp.Or(q.Get("pageToken"), q.Get("page_token")); token != "" {
		from, err := parseToken(token)
		if err != nil {
			return nil, "", err
		}
		list = slices.DeleteFunc(list, func(x T) bool { return at(&x).compare(from) <= 0 })
	}
	if len(list) > size {
		list = list[:size]
		next = at(&list[size-1]).token()
	}
	return list, next, nil
}
