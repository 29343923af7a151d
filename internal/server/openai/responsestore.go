package openai

import (
	"container/list"
	"net/http"
	"slices"
	"sync"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// Bounds of the responses that are kept. A conversation is counted whole with each of
// its responses, though they share its messages.
const (
	maxOwnerResponses = 1000
	maxOwnerBytes     = 64 << 20
	maxStoredBytes    = 512 << 20
)

// storedResponse is a response with the conversation that it ends.
type storedResponse struct {
	body     wireResponse
	systems  []string
	messages []backend.Message // with the answer
	files    []source
	items    []inputItem
	size     int64
	owner    string
}

// responseStore keeps responses, those that were used last of each owner.
type responseStore struct {
	mu    sync.Mutex
	all   *list.List // of *storedResponse, latest used first
	byID  map[string]*list.Element
	bytes int64
	// Bounds; tests have smaller ones.
	ownerCount           int
	ownerBytes, allBytes int64
}

func newResponseStore() *responseStore {
	return &responseStore{
		all: list.New(), byID: map[string]*list.Element{},
		ownerCount: maxOwnerResponses, ownerBytes: maxOwnerBytes, allBytes: maxStoredBytes,
	}
}

func (s *responseStore) put(owner string, r *storedResponse) {
	r.owner = owner
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byID[r.body.ID] = s.all.PushFront(r)
	s.bytes += r.size
	count, size := 0, int64(0)
	for e := s.all.Front(); e != nil; {
		next := e.Next()
		if v := e.Value.(*storedResponse); v.owner == owner {
			count++
			if size += v.size; count > s.ownerCount || size > s.ownerBytes {
				s.remove(e)
			}
		}
		e = next
	}
	for s.bytes > s.allBytes {
		s.remove(s.all.Back())
	}
}

func (s *responseStore) remove(e *list.Element) {
	r := s.all.Remove(e).(*storedResponse)
	delete(s.byID, r.body.ID)
	s.bytes -= r.size
}

// find returns the element of an owner's response.
func (s *responseStore) find(owner, id string) (*list.Element, error) {
	e := s.byID[id]
	if e == nil || e.Value.(*storedResponse).owner != owner {
		return nil, backend.Errorf(backend.NotFound,
			"response %q is not kept here: the latest %d of a key are, up to %d MiB, until the server ends", clip(id), s.ownerCount, s.ownerBytes>>20)
	}
	return e, nil
}

func (s *responseStore) get(owner, id string) (*storedResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(owner, id)
	if err != nil {
		return nil, err
	}
	s.all.MoveToFront(e)
	return e.Value.(*storedResponse), nil
}

func (s *responseStore) delete(owner, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(owner, id)
	if err == nil {
		s.remove(e)
	}
	return err
}

func (h *handler) getResponse(w http.ResponseWriter, r *http.Request) error {
	if s := r.URL.Query().Get("stream"); s != "" && s != "false" {
		return invalid("stream", "a response that is kept is not streamed again; leave it out")
	}
	v, err := h.responses.get(backend.Owner(r.Context()), r.PathValue("id"))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, &v.body)
	return nil
}

func (h *handler) deleteResponse(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	if err := h.responses.delete(backend.Owner(r.Context()), id); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, deleted{id, "response", true})
	return nil
}

func (h *handler) listInputItems(w http.ResponseWriter, r *http.Request) error {
	v, err := h.responses.get(backend.Owner(r.Context()), r.PathValue("id"))
	if err != nil {
		return err
	}
	items := slices.Clone(v.items)
	slices.Reverse(items)
	p, err := paged(r, items, 20, 100, func(i inputItem) string { return i.ID })
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, p)
	return nil
}
