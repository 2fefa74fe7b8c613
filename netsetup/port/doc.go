// Package port reads and checks the ports that containers publish on the host, and
// keeps a record of who has published which, for all networks of the machine.
package port
