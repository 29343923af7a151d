package handscroll_test

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/render"
)

// shippedContext is an empty context of the shipped model.
func shippedContext(t *testing.T) *handscroll.Context {
	t.Helper()
	m, err := handscroll.Open("")
	if err != nil {
		t.Fatal(err)
	}
	return m.NewContext(handscroll.ContextOptions{})
}

// TestShippedEars asks the shipped model for what is said in a recording, a voice
// of espeak-ng that it was not trained on, among notes.
func TestShippedEars(t *testing.T) {
	c := shippedContext(t)
	parts, skipped, err := handscroll.Files(context.Background(), []string{"testdata/keyword.flac"}, handscroll.FileOptions{})
	if err != nil || len(skipped) > 0 {
		t.Fatal(err, skipped)
	}
	parts = append(parts, handscroll.Part{Source: "notes.txt", Text: []byte("The port of the server is 8080.\nMind the gap.\n")})
	if err := c.Read(context.Background(), parts, nil); err != nil {
		t.Fatal(err)
	}
	a, err := c.Ask(context.Background(), "What is the secret keyword?")
	if err != nil {
		t.Fatal(err)
	}
	if a.Text != "harbour" || len(a.Evidence) == 0 || !a.Evidence[0].Timed || a.Evidence[0].Source != "testdata/keyword.flac" {
		t.Fatalf("heard %q, %+v", a.Text, a.Evidence)
	}
	// It is said between the third and the fifth second.
	if at := a.Evidence[0].Time; at < 2*time.Second || at > 5*time.Second {
		t.Errorf("heard at %s", at)
	}
	if a, err = c.Ask(context.Background(), "What is the port of the server?"); err != nil || !strings.Contains(a.Text, "8080") {
		t.Errorf("of the notes: %+v, %v", a, err)
	}
}

// drawn is a film of a few designs.
type drawn struct {
	film *render.Film
	t    int
}

func (d *drawn) Next() (handscroll.Chunk, error) {
	if d.t == d.film.Seconds() {
		return handscroll.Chunk{}, io.EOF
	}
	d.t++
	return handscroll.Chunk{At: time.Duration(d.t-1) * time.Second, Frame: d.film.Frame(d.t - 1).Image}, nil
}

func (*drawn) Close() error { return nil }

// TestShippedEyes asks for a word that is shown in one frame of a film.
func TestShippedEyes(t *testing.T) {
	open1 := func(context.Context) (handscroll.Stream, error) {
		film, err := render.NewFilm(3, 40, render.FilmOptions{Events: []render.Event{
			{At: 7, For: 1, Design: render.Overlay{Text: "The public number is 1704", Cap: 22}},
			{At: 23, For: 1, Design: render.Overlay{Text: `The secret word is "harbour"`, Cap: 22}},
		}})
		return &drawn{film: film}, err
	}
	c := shippedContext(t)
	film := handscroll.Medium("film", "of the test", handscroll.Film, 40*time.Second, open1)
	if err := c.Read(context.Background(), []handscroll.Part{film}, nil); err != nil {
		t.Fatal(err)
	}
	for question, want := range map[string]string{
		"What is the secret word?": "harbour", "When does the secret word appear?": "00:23", "What is the public number?": "1704",
	} {
		a, err := c.Ask(context.Background(), question)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.EqualFold(a.Text, want) {
			t.Errorf("%s %q, want %q", question, a.Text, want)
		}
		if len(a.Evidence) == 0 || !a.Evidence[0].Timed {
			t.Errorf("%s: evidence %+v", question, a.Evidence)
		}
	}
}

// TestShippedFrames asks about a directory of frames, as a user names it.
func TestShippedFrames(t *testing.T) {
	film, err := render.NewFilm(3, 3, render.FilmOptions{Events: []render.Event{
		{At: 1, For: 1, Design: render.Overlay{Text: `The secret word is "harbour"`, Cap: 22}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for i := range film.Seconds() {
		img := film.Frame(i).Image
		rgba := image.NewRGBA(image.Rect(0, 0, img.W, img.H))
		for p := range img.W * img.H {
			copy(rgba.Pix[4*p:], append(img.Pix[3*p:3*p+3:3*p+3], 255))
		}
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("frame-%d.png", i+9)))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(png.Encode(f, rgba), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	c := shippedContext(t)
	parts, skipped, err := handscroll.Files(context.Background(), []string{dir}, handscroll.FileOptions{})
	if err != nil || len(skipped) > 0 || len(parts) != 1 || parts[0].Kind() != handscroll.Film {
		t.Fatal(err, skipped, parts)
	}
	if err := c.Read(context.Background(), parts, nil); err != nil {
		t.Fatal(err)
	}
	a, err := c.Ask(context.Background(), "What is the secret word?")
	if err != nil || !strings.EqualFold(a.Text, "harbour") || a.Evidence[0].Time != time.Second || a.Evidence[0].Source != dir {
		t.Errorf("%+v, %v", a, err)
	}
}

// TestShippedSight asks for what is seen and not written.
func TestShippedSight(t *testing.T) {
	object := func(shape, colour, motion string, speed float32) render.Object {
		return render.Object{Shape: shape, Colour: colour, Motion: motion, X: 150, Y: 90, R: 30, Speed: speed}
	}
	open1 := func(context.Context) (handscroll.Stream, error) {
		film, err := render.NewFilm(4, 60, render.FilmOptions{Events: []render.Event{
			{At: 9, For: 4, Design: object("circle", "red", "moving left", 12)},
			{At: 27, For: 4, Design: object("star", "blue", "still", 0)},
			{At: 44, For: 4, Design: object("square", "yellow", "growing", 6)},
		}})
		return &drawn{film: film}, err
	}
	c := shippedContext(t)
	film := handscroll.Medium("film", "of shapes", handscroll.Film, time.Minute, open1)
	if err := c.Read(context.Background(), []handscroll.Part{film}, nil); err != nil {
		t.Fatal(err)
	}
	for question, want := range map[string]string{
		"When does a red circle appear?": "00:09", "When does a blue star appear?": "00:27", "When does a yellow square appear?": "00:44",
		"Does a blue star or a blue heart appear?": "a blue star, at 00:27",
	} {
		a, err := c.Ask(context.Background(), question)
		if err != nil {
			t.Fatal(err)
		}
		if a.Text != want {
			t.Errorf("%s %q, want %q", question, a.Text, want)
		}
	}
}
