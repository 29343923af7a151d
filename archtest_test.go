package handscroll_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const modulePath = "github.com/handscroll/handscroll"

// imports is the house: what each package may import from this module. Names
// are below internal/, but for the root "." and "cmd/handscroll". Tests may
// import more. To change a line is to change the architecture: say why in
// docs/rationale.md.
var imports = map[string]string{
	".":              "engine media media/all model/shipped kvcache sample",
	"cmd/handscroll": ". server server/backend server/local server/gemini server/openai server/endpoint studio train eval eval/task convert hub",
	"cmd/speak":      "speech/frame",

	"tensor":    "",
	"quant":     "tensor",
	"kernel":    "tensor quant",
	"disk":      "",
	"gguf":      "disk tensor",
	"tokenizer": "",
	"hub":       "disk",

	"media":          "",
	"media/markdown": "media",
	"media/text":     "media",
	"media/subtitle": "media media/markdown",
	"media/html":     "media media/markdown",
	"media/notebook": "media media/markdown",
	"media/mail":     "media media/markdown media/html",
	"media/office":   "media media/markdown media/html",
	"media/pdf":      "media media/markdown",
	"media/ffmpeg":   "media",
	"media/image":    "media media/ffmpeg",
	"media/resample": "media kernel",
	"media/audio":    "media media/ffmpeg media/resample",
	"media/video":    "media media/ffmpeg media/image media/audio",
	"media/all":      "media media/text media/subtitle media/html media/notebook media/mail media/office media/pdf media/image media/audio media/video",

	"nn":            "tensor quant kernel gguf",
	"kvcache":       "disk tensor quant kernel",
	"model":         "nn kvcache gguf tensor quant kernel tokenizer encoder",
	"model/shipped": "",
	"convert":       "gguf quant tensor model tokenizer",
	"encoder":       "nn kernel media gguf tensor speech",
	"render":        "media",
	"speech":        "media media/resample disk speech/frame",
	"speech/frame":  "",
	"prompt":        "prompt/jinja tokenizer media",
	"prompt/jinja":  "",
	"sample":        "kernel",

	"engine":            "speech model encoder prompt sample kvcache tokenizer media gguf tensor nn kernel",
	"engine/enginetest": "encoder model nn speech tensor tokenizer",

	"server":                     "disk server/backend",
	"server/backend":             ".",
	"server/backend/backendtest": ". server/backend",
	"server/servertest":          "",

	"server/local":    ". disk server/backend",
	"server/gemini":   ". server/backend server/sse",
	"server/openai":   ". server/backend server/sse",
	"server/sse":      "",
	"server/endpoint": ". server/sse",
	"studio":          "",

	"conformance/studio/fake": "studio",

	"train":       "model nn tensor kernel gguf tokenizer prompt encoder train/optim train/data render speech media media/all model/shipped",
	"train/optim": "nn tensor kernel",
	"train/data":  "tokenizer",

	"eval":      ". render speech server/endpoint",
	"eval/task": "eval . render speech server/endpoint",
}

// short is the name of a package in the table; ok is false for packages of
// other modules.
func short(importPath string) (name string, ok bool) {
	if importPath == modulePath {
		return ".", true
	}
	rest, ok := strings.CutPrefix(importPath, modulePath+"/")
	return strings.TrimPrefix(rest, "internal/"), ok
}

// forbidden returns what a package imports from this module and may not.
func forbidden(pkg string, importPaths []string) []string {
	allowed := strings.Fields(imports[pkg])
	var out []string
	for _, p := range importPaths {
		if name, ok := short(p); ok && !slices.Contains(allowed, name) {
			out = append(out, name)
		}
	}
	return out
}

// sources returns the files of every package that are not tests, whatever
// their build constraints, by directory.
func sources(t *testing.T) map[string][]string {
	t.Helper()
	files := make(map[string][]string)
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			// A folder with a go.mod of its own is another module.
			_, err := os.Stat(filepath.Join(file, "go.mod"))
			if file != "." && (name[0] == '.' || name[0] == '_' || name == "testdata" || err == nil) {
				return fs.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			dir := filepath.ToSlash(filepath.Dir(file))
			files[dir] = append(files[dir], file)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestImportsFollowTheHouse(t *testing.T) {
	for dir, files := range sources(t) {
		pkg, _ := short(path.Join(modulePath, dir))
		if _, listed := imports[pkg]; !listed {
			t.Errorf("%s is not in the table", dir)
			continue
		}
		for _, file := range files {
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			var paths []string
			for _, spec := range f.Imports {
				p, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					t.Fatal(err)
				}
				paths = append(paths, p)
			}
			for _, name := range forbidden(pkg, paths) {
				t.Errorf("%s: %s may not import %s", file, pkg, name)
			}
		}
	}
}

// TestPuregoStaysOut keeps handscroll a static program: purego makes what imports
// it a dynamically linked one.
func TestPuregoStaysOut(t *testing.T) {
	const purego = "github.com/ebitengine/purego"
	found := false
	for dir, files := range sources(t) {
		for _, file := range files {
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, spec := range f.Imports {
				if spec.Path.Value != strconv.Quote(purego) {
					continue
				}
				if found = true; dir != "cmd/speak" {
					t.Errorf("%s imports %s", file, purego)
				}
			}
		}
	}
	if !found {
		t.Errorf("nothing imports %s: take it out of go.mod, and this test", purego)
	}
}

func TestTheTableIsSound(t *testing.T) {
	for pkg, allowed := range imports {
		for _, name := range strings.Fields(allowed) {
			if _, listed := imports[name]; !listed {
				t.Errorf("%s may import %s, which is not in the table", pkg, name)
			}
		}
	}
	for pkg, path := range map[string]string{
		"kernel":    modulePath + "/internal/model",
		"tokenizer": modulePath + "/internal/gguf",
		"eval":      modulePath + "/internal/engine",
		"studio":    modulePath,
	} {
		if len(forbidden(pkg, []string{"fmt", path})) != 1 {
			t.Errorf("%s may import %s", pkg, path)
		}
	}
}

func TestEveryPackageIsDocumented(t *testing.T) {
	for dir, files := range sources(t) {
		documented := slices.ContainsFunc(files, func(file string) bool {
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.PackageClauseOnly|parser.ParseComments)
			return err == nil && f.Doc != nil
		})
		if !documented {
			t.Errorf("%s has no package documentation", dir)
		}
	}
}
