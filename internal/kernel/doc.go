// Package kernel holds the arithmetic everything above it is made of:
// operations on raw slices, each beside a portable twin that specifies it.
//
// A file such as vec.go holds the exported operations with their documentation
// and checks, vec_generic.go the portable twins, vec_amd64.s the assembly and
// vec_amd64.go the choice between them; the tests hold them together. What the
// processor offers is asked once, and the environment variable HANDSCROLL_CPU
// (generic, avx2 or avx512) asks for less.
//
// # Invariants
//
// An elementwise operation covers the length of its first slice; the other
// slices must be at least as long, else it panics. Slices need no alignment
// and may be equal, but must not otherwise overlap, unless the operation says
// so. No operation allocates, keeps a slice, or writes past a length.
//
// Results depend on the length, the values and the instruction set in use,
// never on alignment or on the number of threads: a sum is added up in an order
// fixed by its length. Different instruction sets differ in the last bits of
// sums and of exponentials; integer results are the same everywhere.
//
// NaN and infinity go through as IEEE 754 has it, except where an operation
// says otherwise.
//
// # Ownership and concurrency
//
// Operations own nothing and start no goroutines. Calls on different slices
// may run at once.
package kernel
