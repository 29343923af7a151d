package local

import (
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/server/backend"
)

func TestPurposeMayComeLater(t *testing.T) {
	dir := t.TempDir()
	b := open(t, Options{Dir: dir})
	ctx := t.Context()
	u, err := b.Begin(ctx, backend.NewUpload{Owner: "ann", Name: "a.txt", Purpose: "user_data", Size: -1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Append(ctx, "ann", u.ID, 0, strings.NewReader("words")); err != nil {
		t.Fatal(err)
	}
	wantKind(t, b.SetPurpose(ctx, "bob", u.ID, "vision"), backend.NotFound, u.ID)
	if err := b.SetPurpose(ctx, "ann", u.ID, "vision"); err != nil {
		t.Fatal(err)
	}
	b.crash()
	b = open(t, Options{Dir: dir})
	f, err := b.Finish(ctx, "ann", u.ID)
	if err != nil || f.Purpose != "vision" || f.Size != 5 {
		t.Fatalf("%+v, %v", f, err)
	}
	wantKind(t, b.SetPurpose(ctx, "ann", u.ID, "batch"), backend.NotFound, u.ID)
}
