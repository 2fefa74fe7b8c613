package shim

// Keys of log attributes. Other packages spell the same things the same way.
const (
	KeyNamespace = "namespace"
	KeyContainer = "container"
	KeyPid       = "pid"
	KeyTopic     = "topic"
	KeyError     = "error"
)
