// Package optim holds the optimiser and its learning-rate schedule.
//
// AdamW works on flat vectors laid out as nn.Params. Several goroutines may
// update disjoint ranges at once; the result does not depend on how many.
package optim
