package main

// defaultOCIRuntime runs the containers when the options name none.
const defaultOCIRuntime = "ocijail"
