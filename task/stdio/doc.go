// Package stdio connects the standard streams of one process to what a client
// of containerd named: fifos, a file, a logger, a terminal, or nothing.
//
// # Life
//
//	Parse ─▶ Open ─▶ Child / CloseChild   (pipes: the process's ends)
//	              └▶ Attach               (terminal: the master side)
//	      … OpenStdin when it is started, CloseStdin, Resize …
//	process has ended ─▶ Drain ─▶ Close
//
// # What a client can rely on
//
//   - All that the process wrote before it ended has been handed on when Drain
//     returns, as long as the other side reads.
//   - A fifo whose reader went away is no error to the process: what it writes
//     waits for a new reader for up to ReaderGrace, after that it is dropped
//     until one comes. A reader that is slow, but there, is waited for.
//   - A logger that ends early is no error to the process either: its output is
//     dropped from then on, and the log says so.
//   - The standard input ends when the client's end is closed and CloseStdin
//     was called; a client that only goes away can come back.
//
// # Goroutines
//
// Per stream one copier, which ends at the end of the stream or at Close; with a
// logger one that waits for it. Close waits for all of them.
package stdio
