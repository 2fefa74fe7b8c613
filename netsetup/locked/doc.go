// Package locked keeps small JSON files that many processes read and change: one
// folder, one lock, and each file replaced as a whole.
//
// A process that is killed leaves either the old or the new file, and never the lock.
// What a power failure leaves is at worst an empty file, which reads as none: nothing
// that the files tell of outlives a reboot.
package locked
