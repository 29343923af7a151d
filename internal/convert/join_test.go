package convert

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/engine/enginetest"
	"github.com/handscroll/handscroll/internal/gguf"
)

func TestJoin(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	enginetest.WriteModel(t, path("text"), 1, false)
	enginetest.WriteSenses(t, path("senses"), 2, true)
	enginetest.WriteSenses(t, path("unread"), 3, false)

	if err := Join(path("all"), path("text"), []string{path("senses")}); err != nil {
		t.Fatal(err)
	}
	if err := Join(path("changed"), path("all"), []string{path("unread")}); err != nil {
		t.Fatal(err)
	}
	text, senses, unread, all, changed := open(t, path("text")), open(t, path("senses")), open(t, path("unread")), open(t, path("all")), open(t, path("changed"))
	for _, c := range []struct {
		name, tensor string
		got, want    *gguf.File
	}{
		{"text stays", "token_embd.weight", all, text},
		{"reader is added", "eyes.conv1.weight", all, senses},
		{"ears are added", "ears.conv1.weight", all, senses},
		{"reader stays", "eyes.conv1.weight", changed, senses},
		{"scenes are replaced", "scenes.conv1.weight", changed, unread},
		{"text stays again", "token_embd.weight", changed, text},
	} {
		got, err := c.got.Tensor(c.tensor)
		if err != nil {
			t.Fatal(err)
		}
		want, err := c.want.Tensor(c.tensor)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Data, want.Data) {
			t.Errorf("%s: %s is not what it should be", c.name, c.tensor)
		}
	}
	if len(all.Tensors) != len(changed.Tensors) {
		t.Errorf("%d tensors became %d", len(all.Tensors), len(changed.Tensors))
	}

	for _, c := range []struct {
		base   string
		senses []string
		want   string
	}{
		{"text", []string{"senses", "unread"}, "name one of them"},
		{"text", []string{"text"}, "no sense"},
		{"text", []string{"gone"}, "gone"},
	} {
		var paths []string
		for _, s := range c.senses {
			paths = append(paths, path(s))
		}
		if err := Join(path("out"), path(c.base), paths); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("joining %v: %v, want an error with %q", c.senses, err, c.want)
		}
	}
}
