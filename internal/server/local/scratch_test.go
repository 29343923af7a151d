package local

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
)

func TestScratch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scratch{limit: 100, most: 30 * time.Second}
		_, err := s.take(t.Context(), 101)
		wantKind(t, err, backend.TooLarge, "101", "100")
		release, err := s.take(t.Context(), 80)
		if err != nil {
			t.Fatal(err)
		}
		// One waits in vain, one leaves, and one gets what the first gives back; who
		// came later does not go before them.
		begin := time.Now()
		_, err = s.take(t.Context(), 30)
		wantKind(t, err, backend.Busy, "30", "80", "100")
		if took := time.Since(begin); took != s.most || err.(*backend.Error).RetryAfter <= 0 {
			t.Errorf("after %v: %+v", took, err)
		}
		ctx, leave := context.WithCancel(t.Context())
		left, got, small := make(chan error, 1), make(chan error, 1), make(chan error, 1)
		claim := func(ctx context.Context, n int64, to chan<- error) {
			go func() {
				_, err := s.take(ctx, n)
				to <- err
			}()
			synctest.Wait()
		}
		claim(ctx, 70, left)
		claim(t.Context(), 60, got)
		claim(t.Context(), 5, small)
		if len(small) != 0 {
			t.Error("a later one went first")
		}
		leave()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		release()
		release()
		if err := errors.Join(<-got, <-small); err != nil || s.used != 65 || len(s.waiting) != 0 {
			t.Errorf("%v, %d in use, %d wait", err, s.used, len(s.waiting))
		}
	})
}

// Texts are counted before they are opened and tokenised, wherever that is done, and what
// was set aside is given back.
func TestScratchOfRequests(t *testing.T) {
	for _, test := range []struct {
		name string
		b    *Backend
		r    *backend.Request
	}{
		{"native", open(t, Options{}), request(text(haystack(1, 70<<10, gateLine)), text(gateAsk))},
		{"native, a file", open(t, Options{}), request(backend.Part{Data: []byte(haystack(1, 70<<10, gateLine))}, text(gateAsk))},
		{"open weights", openTiny(t, Options{}), tinyRequest(text(haystack(1, 70<<10, "")))},
		{"open weights, a file", openTiny(t, Options{}), tinyRequest(backend.Part{Data: []byte(haystack(1, 70<<10, ""))}, text("?"))},
	} {
		s := &test.b.scratch
		s.limit = 100 << 10
		_, err := test.b.Count(t.Context(), test.r)
		wantKind(t, err, backend.TooLarge, "102400")
		_, err = test.b.Generate(t.Context(), test.r, nil)
		wantKind(t, err, backend.TooLarge, "102400")
		_, err = test.b.Store(t.Context(), backend.NewStored{Model: test.r.Model, Messages: test.r.Messages}, nil)
		wantKind(t, err, backend.TooLarge, "102400")
		s.limit = 1 << 20
		if _, err := test.b.Count(t.Context(), test.r); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		// Open weights have no context for so much; that is found out.
		if _, err := test.b.Generate(t.Context(), test.r, nil); err != nil && test.b.models[0].native != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if s.used != 0 || len(s.waiting) != 0 {
			t.Errorf("%s: %d bytes in use, %d wait", test.name, s.used, len(s.waiting))
		}
		if g := test.b.models[0].gate; g.running != [classes]int{} {
			t.Errorf("%s: running %v", test.name, g.running)
		}
	}
}

// A folder of pictures takes no more than one of them, and a film is not refused where
// there is little memory.
func TestScratchOfSenses(t *testing.T) {
	const mib = 1 << 20
	picture := &unit{data: []byte("\x89PNG\r\n\x1a\n"), size: 3 * mib}
	film := &unit{data: []byte("RIFF\x00\x00\x00\x00AVI "), size: 900 * mib}
	words := &unit{text: []byte("words"), size: 2 * mib}
	folder := []*unit{words}
	for range 1000 {
		folder = append(folder, picture)
	}
	for _, test := range []struct {
		units       []*unit
		limit, want int64
	}{
		{folder, 800 * mib, 15 * mib},
		{[]*unit{film, picture, film}, 800 * mib, openMemory},
		{[]*unit{film, words}, 40 * mib, 40 * mib},
		{[]*unit{words, film}, 8 * mib, 12 * mib}, // the text is too much
		{[]*unit{{text: []byte("few"), size: freeText}}, 800 * mib, 0},
	} {
		s := scratch{limit: test.limit}
		if got := s.of(test.units); got != test.want {
			t.Errorf("%d units, limit %d: %d, want %d", len(test.units), test.limit, got, test.want)
		}
	}
}
