package main

import "golang.org/x/sys/windows"

// The installer's folder is not among those that are searched. The current folder
// is not either: anyone may have put a library there.
var libraries = []string{"libespeak-ng.dll", "espeak-ng.dll", `C:\Program Files\eSpeak NG\libespeak-ng.dll`}

func openLibrary(name string) (uintptr, error) {
	lib, err := windows.LoadLibraryEx(name, 0, windows.LOAD_LIBRARY_SEARCH_DEFAULT_DIRS)
	return uintptr(lib), err
}

func has(lib uintptr, symbol string) error {
	_, err := windows.GetProcAddress(windows.Handle(lib), symbol)
	return err
}
