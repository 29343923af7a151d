# The shortest way to each thing; every target is one go command or .ci/run.
.PHONY: build speak test ci bench niah train clean

build: ## the binary, ./handscroll
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o handscroll ./cmd/handscroll

speak: ## ./handscroll-speak, which makes speech to train on with espeak-ng
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o handscroll-speak ./cmd/speak

test: ## all tests
	go test ./...

ci: ## what a change must pass
	.ci/run

bench: build ## kernels, then reading and answering
	go test -run '^$$' -bench . ./internal/kernel ./internal/tokenizer
	./handscroll bench

niah: build ## needles in a haystack, up to a million tokens
	./handscroll niah --lengths 1k,32k,128k,1m --out runs/niah

train: build ## the shipped model again, from its recipe
	./handscroll train -r recipes/nano.yaml

clean:
	rm -f handscroll handscroll-speak
