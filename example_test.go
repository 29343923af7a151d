package handscroll_test

import (
	"context"
	"fmt"
	"log"

	"github.com/handscroll/handscroll"
)

func Example() {
	model, err := handscroll.Open("")
	if err != nil {
		log.Fatal(err)
	}
	c := model.NewContext(handscroll.ContextOptions{})
	defer c.Close()
	ctx := context.Background()
	parts, _, err := handscroll.Files(ctx, []string{"testdata"}, handscroll.FileOptions{})
	if err != nil {
		log.Fatal(err)
	}
	if err := c.Read(ctx, parts, nil); err != nil {
		log.Fatal(err)
	}
	answer, err := c.Ask(ctx, "What is the default port?")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.Text)
	for _, e := range answer.Evidence {
		fmt.Printf("%s:%d: %s\n", e.Source, e.Line, e.Quote)
	}
}

func ExampleModel_OpenContext() {
	model, err := handscroll.Open("")
	if err != nil {
		log.Fatal(err)
	}
	dir, err := handscroll.ContextDir("library")
	if err != nil {
		log.Fatal(err)
	}
	c, err := model.OpenContext(dir, handscroll.ContextOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	// Read before? Then this costs nothing.
	part := handscroll.Part{Source: "note", Text: []byte("The gate opens at 7.\n")}
	err = c.Read(context.Background(), []handscroll.Part{part}, func(p handscroll.Progress) {
		fmt.Printf("%d of %d bytes\n", p.Bytes, p.Total)
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.Tokens(), "tokens")
}
