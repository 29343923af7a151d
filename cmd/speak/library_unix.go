//go:build linux || darwin

package main

import "github.com/ebitengine/purego"

func openLibrary(name string) (uintptr, error) {
	return purego.Dlopen(name, purego.RTLD_NOW|purego.RTLD_GLOBAL)
}

func has(lib uintptr, symbol string) error {
	_, err := purego.Dlsym(lib, symbol)
	return err
}
