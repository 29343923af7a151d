package handscroll_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/engine/enginetest"
)

func open(t *testing.T) *handscroll.Model {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tiny.gguf")
	enginetest.WriteModel(t, path, 1, false)
	m, err := handscroll.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestPublicAPI(t *testing.T) {
	t.Setenv("HANDSCROLL_HOME", t.TempDir())
	m, ctx := open(t), context.Background()
	file := filepath.Join(t.TempDir(), "fox.txt")
	if err := os.WriteFile(file, []byte(strings.Repeat("The quick brown fox.\n", 50)), 0o666); err != nil {
		t.Fatal(err)
	}
	parts, skipped, err := handscroll.Files(ctx, []string{file}, handscroll.FileOptions{})
	if err != nil || len(parts) != 1 || len(skipped) != 0 {
		t.Fatal(parts, skipped, err)
	}
	dir, err := handscroll.ContextDir("test")
	if err != nil {
		t.Fatal(err)
	}
	c, err := m.OpenContext(dir, handscroll.ContextOptions{MaxAnswer: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var last handscroll.Progress
	if err := c.Read(ctx, parts, func(p handscroll.Progress) { last = p }); err != nil {
		t.Fatal(err)
	}
	if last.Tokens != c.Tokens() || c.Tokens() != m.CountTokens(parts[0].Text) {
		t.Errorf("%d tokens, progress %+v", c.Tokens(), last)
	}
	s, err := c.Splice(ctx, c.Tokens()/2, handscroll.Insert{At: c.Boundary(c.Tokens() / 4), Text: "A needle.\n"})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(s.Text(0, s.Tokens())), "\nA needle.\n") {
		t.Error("no needle in the splice")
	}
	a, err := s.Ask(ctx, "Who jumps?")
	if err != nil || a.Text == "" || len(a.Evidence) == 0 || a.Usage.AnswerTokens > 4 {
		t.Errorf("%+v, %v", a, err)
	}
	list, err := handscroll.StoredContexts()
	if err != nil || len(list) != 1 || list[0].Name != "test" || list[0].Tokens != int64(c.Tokens()) {
		t.Errorf("%+v, %v", list, err)
	}
	sources, err := handscroll.StoredSources(dir)
	if err != nil || len(sources) != 1 || sources[0].Name != file || !sources[0].Done {
		t.Errorf("%+v, %v", sources, err)
	}
	scores, err := m.Score(ctx, []byte("The quick brown fox"))
	if err != nil || len(scores) == 0 || scores[0].LogProb >= 0 {
		t.Errorf("%+v, %v", scores, err)
	}
	if err := handscroll.RemoveStored(dir); err != nil || handscroll.HasStoredContext(dir) {
		t.Errorf("removed: %v", err)
	}
}

func TestErrorsHaveTypes(t *testing.T) {
	m, ctx := open(t), context.Background()
	c := m.NewContext(handscroll.ContextOptions{MaxMemory: 10000})
	var memory *handscroll.MemoryError
	err := c.Read(ctx, []handscroll.Part{{Source: "big", Text: make([]byte, 9000)}}, nil)
	if !errors.As(err, &memory) || memory.Max != 10000 {
		t.Error(err)
	}
	if err := c.Read(ctx, []handscroll.Part{{Source: "note", Text: []byte("one")}}, nil); err != nil {
		t.Fatal(err)
	}
	var changed *handscroll.ChangedError
	if err := c.Read(ctx, []handscroll.Part{{Source: "note", Text: []byte("two")}}, nil); !errors.As(err, &changed) {
		t.Error(err)
	}
}

func TestContextNames(t *testing.T) {
	t.Setenv("HANDSCROLL_HOME", "/h")
	for _, bad := range []string{"", ".", "..", ".x", "a/b", `a\b`, "c:", "a\x00", "a b", "a\nb", "a\xff", "*", strings.Repeat("x", 101)} {
		if dir, err := handscroll.ContextDir(bad); err == nil {
			t.Errorf("%q leads to %s", bad, dir)
		}
	}
	for _, good := range []string{"library", "my-notes_2.0", "書庫"} {
		if dir, err := handscroll.ContextDir(good); err != nil || dir != filepath.Join("/h", "contexts", good) {
			t.Errorf("%q leads to %s, %v", good, dir, err)
		}
	}
}

func TestDataDirectory(t *testing.T) {
	t.Setenv("HANDSCROLL_HOME", "")
	t.Setenv("XDG_DATA_HOME", filepath.Join(t.TempDir(), "data"))
	t.Setenv("HOME", t.TempDir())
	t.Setenv("LocalAppData", t.TempDir())
	dir, err := handscroll.ContextDir("x")
	if err != nil || !strings.HasSuffix(filepath.ToSlash(dir), "/handscroll/contexts/x") {
		t.Error(dir, err)
	}
}
