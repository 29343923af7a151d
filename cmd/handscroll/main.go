// Command handscroll reads long texts and answers questions about them.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/handscroll/handscroll"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal, which ends work in good order, a second one kills.
	context.AfterFunc(ctx, stop)
	// Garbage may not grow to as much as weights of many gigabytes take.
	if n := handscroll.FreeMemory(); n > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(n)
	}
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
