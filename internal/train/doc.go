// Package train trains native models: recipe, loop, checkpoints, curves.
//
// A run is a function of its recipe alone: every example is drawn from (seed,
// step, index), each worker sums its own examples in order, and the workers'
// gradients are added in order. A run that was stopped and resumed gives the
// same bits as one that was not, for the same number of workers and the same
// CPU path.
package train
