package data

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/handscroll/handscroll/internal/tokenizer"
)

// Kind tells prose from source code: they take needles in different ways.
type Kind uint8

const (
	Prose Kind = iota
	Code
	numKinds
)

// Document is one tokenised file. Sixteen bits an id keep 25 MB of text in
// about 14 MB.
type Document struct {
	Name string
	Kind Kind
	IDs  []uint16 // [T]
}

// Corpus is the real text that examples are filled with and quote from.
type Corpus struct {
	Documents []Document
	ends      [numKinds][]int // running token counts of each kind's documents
	index     [numKinds][]int // their indices in Documents
}

// Tokens counts the tokens of all documents.
func (c *Corpus) Tokens() int {
	n := 0
	for i := range c.Documents {
		n += len(c.Documents[i].IDs)
	}
	return n
}

// NewCorpus indexes documents that are already tokenised.
func NewCorpus(docs []Document) *Corpus {
	c := &Corpus{Documents: docs}
	for i := range docs {
		k := docs[i].Kind
		total := len(docs[i].IDs)
		if n := len(c.ends[k]); n > 0 {
			total += c.ends[k][n-1]
		}
		c.ends[k] = append(c.ends[k], total)
		c.index[k] = append(c.index[k], i)
	}
	return c
}

// locate returns the document of a kind that holds the at-th token of that
// kind, and the token's place in it.
func (c *Corpus) locate(k Kind, at int) (doc *Document, offset int) {
	i, exact := slices.BinarySearch(c.ends[k], at)
	if exact {
		i++ // at is the first token of the next document
	}
	start := 0
	if i > 0 {
		start = c.ends[k][i-1]
	}
	return &c.Documents[c.index[k][i]], at - start
}

// size counts the tokens of a kind.
func (c *Corpus) size(k Kind) int {
	if n := len(c.ends[k]); n > 0 {
		return c.ends[k][n-1]
	}
	return 0
}

// LoadCorpus reads and tokenises the files that paths name: files, globs and
// folders (walked, binaries and test data left out), gzip unpacked. Each path
// may take an equal share of limit bytes (0: no limit), what one leaves goes
// to the next; a folder's files are taken in the order of a hash of their
// names, so that a share is a sample of the folder.
func LoadCorpus(tok tokenizer.Tokenizer, paths []string, limit int64) (*Corpus, error) {
	if tok.Size() > 1<<16 {
		return nil, fmt.Errorf("data: vocabulary of %d pieces does not fit 16-bit ids", tok.Size())
	}
	if limit <= 0 {
		limit = 1 << 50
	}
	var names []string
	var texts [][]byte
	left := limit
	for i, path := range paths {
		files, err := expandPath(path)
		if err != nil {
			return nil, err
		}
		share := left / int64(len(paths)-i)
		for _, file := range files {
			if share <= 0 {
				break
			}
			text, err := readText(file, share)
			if err != nil {
				return nil, err
			}
			if len(text) < 200 || !isText(text) {
				continue
			}
			share -= int64(len(text))
			left -= int64(len(text))
			names = append(names, file)
			texts = append(texts, text)
		}
	}
	if len(texts) == 0 {
		return nil, fmt.Errorf("data: no text in %s", strings.Join(paths, ", "))
	}
	return NewCorpus(tokenise(tok, names, texts)), nil
}

// tokenise encodes texts on every core, in order.
func tokenise(tok tokenizer.Tokenizer, names []string, texts [][]byte) []Document {
	docs := make([]Document, len(texts))
	next := make(chan int)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			var ids []int32
			for i := range next {
				ids = tok.Encode(ids[:0], texts[i])
				short := make([]uint16, len(ids))
				for j, id := range ids {
					short[j] = uint16(id)
				}
				docs[i] = Document{Name: names[i], Kind: kindOf(names[i]), IDs: short}
			}
		})
	}
	for i := range texts {
		next <- i
	}
	close(next)
	wg.Wait()
	return docs
}

// expandPath lists the files a path, glob or folder stands for.
func expandPath(path string) ([]string, error) {
	matches, err := filepath.Glob(path)
	if err != nil {
		return nil, fmt.Errorf("data: corpus path %q: %w", path, err)
	}
	if len(matches) == 0 {
		return nil, fmt.Errorf("data: corpus path %q: %w", path, fs.ErrNotExist)
	}
	var files []string
	for _, m := range matches {
		err := filepath.WalkDir(m, func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() {
				if base := d.Name(); name != m && (base == "testdata" || strings.HasPrefix(base, ".")) {
					return fs.SkipDir
				}
				return nil
			}
			// A folder is a mixed bag: take what is surely text. A file named
			// outright is taken as it is.
			if d.Type().IsRegular() && (name == m || textExtensions[filepath.Ext(strings.TrimSuffix(name, ".gz"))]) {
				files = append(files, name)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("data: corpus path %q: %w", path, err)
		}
	}
	slices.SortFunc(files, func(a, b string) int {
		return cmp.Or(cmp.Compare(hash(a), hash(b)), cmp.Compare(a, b))
	})
	return files, nil
}

var codeExtensions = map[string]bool{
	".go": true, ".py": true, ".js": true, ".ts": true, ".c": true, ".h": true, ".cc": true,
	".cpp": true, ".java": true, ".rs": true, ".sh": true, ".rb": true, ".s": true,
}

var textExtensions = func() map[string]bool {
	m := map[string]bool{".txt": true, ".md": true, ".rst": true, ".html": true, ".yaml": true, ".toml": true}
	for ext := range codeExtensions {
		m[ext] = true
	}
	return m
}()

func kindOf(name string) Kind {
	if codeExtensions[filepath.Ext(strings.TrimSuffix(name, ".gz"))] {
		return Code
	}
	return Prose
}

// readText reads at most limit bytes of a file, unpacked, with "\n" line ends.
func readText(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			return nil, fmt.Errorf("data: %s: %w", name, err)
		}
	}
	text, err := io.ReadAll(io.LimitReader(r, limit))
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", name, err)
	}
	return bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")), nil
}

// isText looks at the beginning only; a cut in the middle of a letter at the
// end of the look is allowed for.
func isText(text []byte) bool {
	head := text[:min(len(text), 4096)]
	for len(head) > 0 && len(head) > 4092 && !utf8.Valid(head) {
		head = head[:len(head)-1]
	}
	return bytes.IndexByte(head, 0) < 0 && utf8.Valid(head)
}

// hash is the stable 32-bit hash behind every split and order in this package.
func hash(s string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(s))
	return h.Sum32()
}
