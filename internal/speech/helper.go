package speech

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

const module = "github.com/handscroll/handscroll"

// executable is how names of programs end.
var executable = map[string]string{"windows": ".exe"}[runtime.GOOS]

var building sync.Mutex

// helper returns the path of the program handscroll-speak: beside this program, on
// the path, or built from the checkout that the working directory is in, into the
// user's cache.
func helper(ctx context.Context) (string, error) {
	name := "handscroll-speak" + executable
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), name)
		if _, err := os.Stat(beside); err == nil {
			return beside, nil
		}
	}
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	root, ok := checkout()
	if !ok {
		return "", fmt.Errorf("speech: %w: no program %s beside this one or on the path: build it in a checkout of %s with go build -o %s ./cmd/speak, and install espeak-ng", ErrMissing, name, module, name)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("speech: building %s: %w", name, err)
	}
	return build(ctx, root, filepath.Join(cache, "handscroll"), name)
}

// checkout looks for this module's root from the working directory upwards.
func checkout() (root string, ok bool) {
	dir, err := os.Getwd()
	if err != nil {
		return "", false
	}
	for {
		data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(data), "module "+module+"\n") {
			return dir, true
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", false
		}
		dir = up
	}
}

// build compiles the program into dir; the compiler's cache makes the second time
// quick.
func build(ctx context.Context, root, dir, name string) (string, error) {
	building.Lock()
	defer building.Unlock()
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", fmt.Errorf("speech: building %s: %w", name, err)
	}
	// Another process may be building too, or running what is there.
	part, err := os.MkdirTemp(dir, "speak-*.tmp")
	if err != nil {
		return "", fmt.Errorf("speech: building %s: %w", name, err)
	}
	defer os.RemoveAll(part)
	cmd := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(part, name), "./cmd/speak")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("speech: building %s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	path := filepath.Join(dir, name)
	if err := os.Rename(filepath.Join(part, name), path); err != nil {
		return "", fmt.Errorf("speech: building %s: %w", name, err)
	}
	return path, nil
}
