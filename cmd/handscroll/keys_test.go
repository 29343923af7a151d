package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestKeys(t *testing.T) {
	h := newHouse(t)
	h.want(exitOK, []string{"keys", "list"}, "there are no keys")
	if out := h.want(exitOK, []string{"keys", "ls", "--json"}); out != "[]\n" {
		t.Errorf("no keys are %q", out)
	}
	secret := strings.TrimSpace(h.want(exitOK, []string{"keys", "add", "ann", "--requests-per-minute", "60", "--tokens-per-day", "1000"}, "cannot be shown again"))
	if !strings.HasPrefix(secret, "hs-") || strings.ContainsAny(secret, " \n") {
		t.Errorf("standard output has more than the key: %q", secret)
	}
	out := h.want(exitOK, []string{"keys", "list"}, "ann", "60", "1000")
	out += h.want(exitOK, []string{"keys", "list", "--json"}, `"name":"ann"`, `"tokens_per_day":1000`)
	if strings.Contains(out, secret) {
		t.Error("the key is shown again")
	}
	h.want(exitError, []string{"keys", "add", "ann"}, "already")
	h.want(exitError, []string{"keys", "add", "a b"}, "letters, digits")
	h.want(exitError, []string{"keys", "add", "bob", "--concurrent", "-1"}, "negative")
	h.want(exitError, []string{"keys", "remove", "bob"}, "there are ann")
	h.want(exitOK, []string{"keys", "list", "--data", filepath.Join(h.dir, "elsewhere")}, "there are no keys")
	h.want(exitOK, []string{"keys", "remove", "ann"})
	h.want(exitOK, []string{"keys", "list"}, "there are no keys")
	h.want(exitUsage, []string{"keys", "add"}, "accepts 1 arg")
	h.want(exitUsage, []string{"keys", "melt"}, `unknown command "melt"`)
	h.file("home/server/keys.json", "{")
	h.want(exitError, []string{"keys", "list"}, "keys.json", "unexpected EOF")
}
