// Package stage is the first stage of a container's process: what runs, as the
// process's later pid, between the fork and the user's program.
//
// A stage is a child of the runtime that does nothing but system calls, all worked
// out before the fork ([jailshim/jailctl/kernel.Script]): it attaches itself to the
// jail, sets up the jail's network, finds the program, waits until it is told to go
// on, takes on the process's attributes and executes the program. No file of the
// image is needed for it but the program.
//
// The two speak over a socket pair:
//
//	stage → runtime   it is in the jail and has found the program, or could not
//	runtime → stage   go on; end of file instead makes the stage end
//	stage → runtime   what could not be done; end of file when the program runs
//
// A process that must outlive its maker (the OCI command's create ends before start
// is called) is told once to go on, and then waits on a socket with a name for the
// same conversation with whoever starts it: see [Config.Listener] and [GoAt]. The
// process of an exec does not wait.
package stage
