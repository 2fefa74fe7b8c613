// Guest is the only program in the images that the tests, the demo and the
// bench run: one small static binary that is many commands, like busybox. What
// it does is exactly what a test needs to see, the same on every system.
//
// It is called as "guest COMMAND ARGS…" or through a link that bears the
// command's name. Build it with CGO_ENABLED=0; [jailshim/test/image.Guest] lays
// it out as the files of an image.
package main

import "jailshim/test/guest/applet"

func main() { applet.Main() }
