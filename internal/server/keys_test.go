package server

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

func newKeys(t testing.TB) *Keys {
	t.Helper()
	k, err := OpenKeys(filepath.Join(t.TempDir(), "data", "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeys(t *testing.T) {
	k := newKeys(t)
	limits := KeyLimits{RequestsPerMinute: 3, Concurrent: 2, TokensPerDay: 1000}
	ann, err := k.Add("ann", limits)
	if err != nil {
		t.Fatal(err)
	}
	bob, err := k.Add("bob", KeyLimits{})
	if err != nil {
		t.Fatal(err)
	}
	if len(ann) != len(keyPrefix)+43 || ann == bob {
		t.Errorf("secrets %q, %q", ann, bob)
	}
	// As a server that runs meanwhile has it.
	other, err := OpenKeys(k.path)
	if err != nil {
		t.Fatal(err)
	}
	got, ok := other.find(ann)
	if !ok || got.Name != "ann" || got.KeyLimits != limits || got.Created.IsZero() {
		t.Errorf("found %+v, %v", got, ok)
	}
	for _, wrong := range []string{"", "hs-", ann[:len(ann)-1], ann + "x", strings.ToUpper(ann), hex.EncodeToString(got.Hash[:])} {
		if k, ok := other.find(wrong); ok {
			t.Errorf("%q is taken for the key of %s", wrong, k.Name)
		}
	}
	data, err := os.ReadFile(k.path)
	if err != nil || strings.Contains(string(data), ann) || strings.Contains(string(data), strings.TrimPrefix(bob, keyPrefix)) {
		t.Errorf("a secret is in the file: %s, %v", data, err)
	}
	if fi, err := os.Stat(k.path); err != nil || runtime.GOOS != "windows" && fi.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
	_, err = k.Add("ann", KeyLimits{})
	wantText(t, err, `a key "ann" already`)
	wantText(t, k.Remove("eve"), "there are ann, bob")
	if err := k.Remove("ann"); err != nil {
		t.Fatal(err)
	}
	if err := other.refresh(); err != nil {
		t.Fatal(err)
	}
	if _, ok := other.find(ann); ok {
		t.Error("a removed key still opens")
	}
	if _, ok := other.find(bob); !ok {
		t.Error("the other key does not")
	}
	// A new key with an old name owns nothing of the old one's.
	if _, err := k.Add("ann", limits); err != nil {
		t.Fatal(err)
	}
	if again := k.List()[1]; again.Name != "ann" || again.owner() == got.owner() {
		t.Errorf("%+v has the owner of the old key", again)
	}
	for _, name := range []string{"", "a b", "ä", "a/b", strings.Repeat("x", 65), "a\n"} {
		_, err := k.Add(name, KeyLimits{})
		wantText(t, err, "letters, digits")
	}
	_, err = k.Add("neg", KeyLimits{TokensPerDay: -1})
	wantText(t, err, "negative")
}

func TestKeysWhoseFileGoesWrong(t *testing.T) {
	k := newKeys(t)
	secret, err := k.Add("ann", KeyLimits{})
	if err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(k.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(k.path, []byte(`{"version":1,"keys":[{]`), 0o600); err != nil {
		t.Fatal(err)
	}
	wantText(t, k.refresh(), "invalid character")
	if _, ok := k.find(secret); !ok {
		t.Error("the keys of before are gone")
	}
	wantText(t, k.Remove("ann"), "invalid character")
	if err := os.WriteFile(k.path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := k.refresh(); err != nil {
		t.Error(err)
	}
	if err := os.Remove(k.path); err != nil {
		t.Fatal(err)
	}
	if err := k.refresh(); err != nil || len(k.List()) != 0 {
		t.Errorf("without a file: %v, %v", k.List(), err)
	}
}

func TestParseKeysRefuses(t *testing.T) {
	hash := strings.Repeat("ab", 32)
	for text, want := range map[string]string{
		``:                        "EOF",
		`[]`:                      "cannot unmarshal",
		`{"version":2}`:           "knows version 1",
		`{"version":1} x`:         "behind the object",
		`{"version":1,"kyes":[]}`: "unknown field",
		`{"version":1,"keys":[{"name":"a","sha256":"ab"}]}`:                                                "keys[0].sha256",
		`{"version":1,"keys":[{"name":"a","sha256":"` + hash + `","tokens_per_dya":1}]}`:                   "unknown field",
		`{"version":1,"keys":[{"name":"a b","sha256":"` + hash + `"}]}`:                                    "keys[0]: name",
		`{"version":1,"keys":[{"name":"a","concurrent":-1,"sha256":"` + hash + `"}]}`:                      "negative",
		`{"version":1,"keys":[{"name":"a","sha256":"` + hash + `"},{"name":"b","sha256":"` + hash + `"}]}`: "same name or hash",
		`{"version":1,"keys":[{"name":"a","created":"yesterday","sha256":"` + hash + `"}]}`:                "parsing time",
	} {
		_, err := parseKeys([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func FuzzParseKeys(f *testing.F) {
	f.Add([]byte(`{"version":1,"keys":[{"name":"a","created":"2026-01-02T03:04:05Z","requests_per_minute":1,"sha256":"` + strings.Repeat("0f", 32) + `"}]}`))
	f.Add([]byte(`{"version":1,"keys":[]}`))
	f.Add([]byte(`{"version":1,"keys":[null]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := parseKeys(data)
		if err != nil {
			return
		}
		again, err := formatKeys(list)
		if err != nil {
			t.Fatal(err)
		}
		same, err := parseKeys(again)
		if err != nil || !reflect.DeepEqual(list, same) {
			t.Fatalf("%+v became %+v, %v", list, same, err)
		}
	})
}

func wantText(t *testing.T, err error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("error %v, want one with %q", err, text)
	}
}
