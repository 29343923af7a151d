package main

// Homebrew's folders are not on the loader's path.
var libraries = []string{
	"libespeak-ng.1.dylib", "libespeak-ng.dylib",
	"/opt/homebrew/lib/libespeak-ng.dylib", "/usr/local/lib/libespeak-ng.dylib",
}
