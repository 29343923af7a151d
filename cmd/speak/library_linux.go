package main

var libraries = []string{"libespeak-ng.so.1", "libespeak-ng.so"}
