// Package stage is the first stage of a container's process: what runs, as the
// process's later pid, between the fork and the user's program.
//
// The runtime starts its own executable again (see [Spawn]); the new process
// sees from its name that it is a stage and calls [Main]. All attributes of a
// FreeBSD process belong to the process and not to its threads, so a program
// with many threads may attach itself to a jail, drop its privileges and
// execute another program, which keeps its pid.
//
// The two speak over a socket pair:
//
//	runtime → stage   Config, and the jail's descriptor where there are such
//	stage → runtime   Reply: it is in the jail and has found the program, or not
//	runtime → stage   a Go message, unless Config.Run
//	stage → runtime   Reply with the error if the program could not be executed;
//	                  end of file when it was
//
// A process that must outlive its maker (the OCI command's create ends before
// start is called) waits for Go on a socket with a name instead: Config.Listen.
// If the runtime's end closes before Go, the stage ends.
//
// The package imports little, because all it imports is initialised before the
// user's program can run.
package stage
