package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/server"
	"github.com/handscroll/handscroll/internal/server/backend"
	"github.com/handscroll/handscroll/internal/server/gemini"
	"github.com/handscroll/handscroll/internal/server/local"
	"github.com/handscroll/handscroll/internal/server/openai"
	"github.com/handscroll/handscroll/internal/studio"
)

type serveFlags struct {
	data    dataFlag
	addr    string
	models  []string
	threads int

	quota, keyQuota, memory, maxBody, maxFile size
	queue, connections                        int
	timeout, maxWait, grace, ttl, fileTTL     time.Duration

	cors, hosts       []string
	tlsCert, tlsKey   string
	logFormat         string
	noStudio, remotes bool
}

func newServeCmd() *cobra.Command {
	f := serveFlags{maxBody: 100e6, maxFile: 2e9}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the Gemini and OpenAI APIs, and a studio for the browser",
		Long: `Serve the Gemini API (/v1beta/) and the OpenAI API (/v1/), and a studio for the
browser at the address itself.

What was read once is kept on disk, below --data, and is not read again: stored
contexts (cachedContents) until they expire, prompts as long as there is room.

Only this machine can connect by default. Listening anywhere else needs an API key
('handscroll keys add NAME'). /healthz and /readyz say how the server is, /metrics
has numbers for Prometheus. Logs go to standard error, without content.

The first Ctrl-C lets running requests finish, the second ends at once.`,
		Example: `  handscroll serve
  handscroll serve --model small=models/small.gguf --model handscroll=
  handscroll keys add ann && handscroll serve --addr 0.0.0.0:8080 --tls-cert cert.pem --tls-key key.pem`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	fs := cmd.Flags()
	fs.StringVar(&f.addr, "addr", "127.0.0.1:8080", "address to listen on")
	fs.StringArrayVarP(&f.models, "model", "m", nil, "NAME=FILE: model to serve (GGUF), once for each, the default one first; NAME= is the one in this program (default: handscroll=)")
	fs.IntVar(&f.threads, "threads", 0, "threads to compute with (default: one a processor)")
	f.data.add(cmd)
	fs.Var(&f.quota, "quota", "disk for contexts and files (default: a tenth of what is free, at most 50 GiB)")
	fs.Var(&f.keyQuota, "key-quota", "disk for the files and stored contexts of one API key (default: half of --quota)")
	fs.Var(&f.memory, "memory", "memory for requests: their bodies, what they open, and contexts in use (default: most of what is free)")
	fs.IntVar(&f.queue, "queue", 256, "questions that may wait, and as many long texts; more are told to come back")
	fs.DurationVar(&f.maxWait, "max-wait", 30*time.Second, "longest wait for a turn; who would wait longer is told to come back; 0 is as long as it takes")
	fs.IntVar(&f.connections, "max-connections", 1024, "connections at once; more wait")
	fs.DurationVar(&f.timeout, "timeout", 0, "longest time for a request, such as 10m (default: as long as it takes)")
	fs.DurationVar(&f.grace, "grace", 30*time.Second, "time that running requests have after Ctrl-C")
	fs.DurationVar(&f.ttl, "ttl", time.Hour, "life of a stored context whose client says nothing")
	fs.DurationVar(&f.fileTTL, "file-ttl", 48*time.Hour, "life of a file that comes through the Gemini API; those of the OpenAI API stay until they are deleted")
	fs.Var(&f.maxBody, "max-body", "longest request")
	fs.Var(&f.maxFile, "max-file", "largest file that is uploaded")
	fs.StringArrayVar(&f.cors, "cors", nil, "origin whose pages may use the APIs, such as http://localhost:3000, or * for all; once for each")
	fs.StringArrayVar(&f.hosts, "host", nil, "name that leads here by way of a proxy on this machine; once for each")
	fs.StringVar(&f.tlsCert, "tls-cert", "", "certificates (PEM), to serve HTTPS")
	fs.StringVar(&f.tlsKey, "tls-key", "", "key of the certificate (PEM)")
	fs.StringVar(&f.logFormat, "log-format", "text", "text or json")
	fs.BoolVar(&f.noStudio, "no-studio", false, "serve the APIs alone")
	fs.BoolVar(&f.remotes, "allow-remote-urls", false, "let OpenAI requests name pictures, films and files on public web servers, which are fetched")
	return cmd
}

func (f *serveFlags) run(cmd *cobra.Command) (err error) {
	ctx := cmd.Context()
	log, models, certs, err := f.check(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	dir, err := f.data.path()
	if err != nil {
		return err
	}
	keys, err := f.data.keys()
	if err != nil {
		return err
	}
	// Both are known before the models are opened, which may take a while.
	if err := keys.Guard(f.addr); err != nil {
		return err
	}
	l, err := net.Listen("tcp", f.addr)
	if err != nil {
		return fmt.Errorf("--addr: %w", err)
	}
	defer l.Close()
	contexts, bodies := f.shares()
	b, err := local.New(local.Options{
		Dir: dir, Models: models, Quota: int64(f.quota), OwnerQuota: int64(f.keyQuota), MaxMemory: contexts, Queue: f.queue,
		MaxWait: cmp.Or(f.maxWait, -1), Threads: f.threads, MaxFile: int64(f.maxFile), DefaultTTL: f.ttl, FileTTL: f.fileTTL, Log: log,
	})
	if err != nil {
		return err
	}
	defer func() {
		last, stop := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer stop()
		err = errors.Join(err, b.Close(last))
	}()
	s, err := f.assemble(b, bodies, keys, certs, log)
	if err != nil {
		return usageError{err}
	}
	f.greet(cmd.OutOrStdout(), l.Addr(), dir, b.Models(), len(keys.List()) > 0)
	return s.Serve(ctx, l)
}

// check looks at the flags that can be wrong by themselves.
func (f *serveFlags) check(logs io.Writer) (log *slog.Logger, models []local.ModelSpec, certs *tls.Config, err error) {
	switch f.logFormat {
	case "text":
		log = slog.New(slog.NewTextHandler(logs, nil))
	case "json":
		log = slog.New(slog.NewJSONHandler(logs, nil))
	default:
		return nil, nil, nil, usageError{fmt.Errorf("--log-format %q: want text or json", f.logFormat)}
	}
	for _, m := range f.models {
		id, path, ok := strings.Cut(m, "=")
		if !ok || id == "" {
			return nil, nil, nil, usageError{fmt.Errorf("--model %q: want NAME=FILE", m)}
		}
		models = append(models, local.ModelSpec{ID: id, Path: path})
	}
	if _, _, err := net.SplitHostPort(f.addr); err != nil {
		return nil, nil, nil, usageError{fmt.Errorf("--addr %q: want host:port, such as 127.0.0.1:8080", f.addr)}
	}
	for _, least := range []struct {
		flag     string
		n, least int64
	}{
		{"threads", int64(f.threads), 0}, {"queue", int64(f.queue), 1}, {"max-connections", int64(f.connections), 1},
		{"timeout", int64(f.timeout), 0}, {"max-wait", int64(f.maxWait), 0}, {"grace", int64(f.grace), 0}, {"ttl", int64(f.ttl), 1},
		{"file-ttl", int64(f.fileTTL), 1},
	} {
		if least.n < least.least {
			return nil, nil, nil, usageError{fmt.Errorf("--%s must be at least %d", least.flag, least.least)}
		}
	}
	if (f.tlsCert == "") != (f.tlsKey == "") {
		return nil, nil, nil, usageError{errors.New("--tls-cert and --tls-key go together")}
	}
	if f.tlsCert != "" {
		pair, err := tls.LoadX509KeyPair(f.tlsCert, f.tlsKey)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("--tls-cert: %w", err)
		}
		certs = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	return log, models, certs, nil
}

// shares divides the memory: an eighth is for the bodies of requests. Both are 0 where it
// is not known how much there is.
func (f *serveFlags) shares() (contexts, bodies int64) {
	all := cmp.Or(int64(f.memory), handscroll.FreeMemory())
	bodies = all / 8
	return all - bodies, bodies
}

// assemble puts the server together.
func (f *serveFlags) assemble(b backend.Backend, memory int64, keys *server.Keys, certs *tls.Config, log *slog.Logger) (*server.Server, error) {
	b = server.Meter(b)
	o := server.Options{
		Addr: f.addr, Backend: b, Keys: keys, CORS: f.cors, Hosts: f.hosts, TLS: certs, Log: log,
		Timeout: f.timeout, Grace: max(f.grace, 1), MaxBody: int64(f.maxBody), MaxFile: int64(f.maxFile), Memory: memory, MaxConns: f.connections,
		Gemini:      gemini.New(b, gemini.Options{MaxBody: int64(f.maxBody), Log: log}),
		GeminiError: gemini.WriteError,
		OpenAI:      openai.New(b, openai.Options{AllowRemote: f.remotes, MaxPart: int64(f.maxFile), Log: log}),
		OpenAIError: openai.WriteError,
	}
	if !f.noStudio {
		o.Studio = studio.Handler()
	}
	return server.New(o)
}

// greet says where the server is and how to point programs at it.
func (f *serveFlags) greet(w io.Writer, at net.Addr, dir string, models []backend.Model, keyed bool) {
	host, port, err := net.SplitHostPort(at.String())
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	scheme, key := "http", "local"
	if f.tlsCert != "" {
		scheme = "https"
	}
	if keyed {
		key = "YOUR-KEY"
	}
	url := scheme + "://" + net.JoinHostPort(host, port)
	fmt.Fprintf(w, "Handscroll serves %s\n", url)
	if !f.noStudio {
		fmt.Fprintf(w, "  studio   open %s in a browser\n", url)
	}
	fmt.Fprintf(w, "  Gemini   GOOGLE_GEMINI_BASE_URL=%s GEMINI_API_KEY=%s\n", url, key)
	fmt.Fprintf(w, "  OpenAI   OPENAI_BASE_URL=%s/v1 OPENAI_API_KEY=%s\n", url, key)
	for i, m := range models {
		label := "models"
		if i > 0 {
			label = ""
		}
		fmt.Fprintf(w, "  %-8s %s (%d tokens)\n", label, m.ID, m.InputLimit)
	}
	fmt.Fprintf(w, "  data     %s\n", dir)
	fmt.Fprintln(w, "Ctrl-C lets running requests finish; a second one ends at once.")
}
