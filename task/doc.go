// Package task serves containerd's Task API over a driver.Runtime: containers
// that own processes, one state machine for all processes (see state), their
// stdio (package stdio) and their events.
//
// # Files, in reading order
//
// state.go the machine; process.go one process; container.go a container and
// the order of its exits; create.go, start.go, exec.go and delete.go the slow
// verbs with their undo; service.go the map of containers; rpc.go the one place
// where calls come in and errors leave; record.go and cleanup.go what outlives
// this process.
//
// # Events
//
// Per container: TaskCreate, TaskStart, TaskExit, TaskDelete; per exec:
// TaskExecAdded, TaskExecStarted, TaskExit. Each process has at most one exit,
// published after its start, and an exec's before its container's. Events are
// queued under container.mu, so their order is the order of the transitions.
//
// # Locks
//
// Service.mu (the map) before container.mu (the container and its processes).
// Neither is held across a system call that can block or a call of the driver:
// State and Wait never wait for one. container.deleting serialises Delete, and
// process.sizing the resizing of a terminal; each is taken before both.
//
// # Goroutines
//
// The reaper's, which calls container.exited and must not be blocked; one per
// container from the end of its init until the exit is published
// (container.quiesce); those of package stdio; those of the driver.
package task
