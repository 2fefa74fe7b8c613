package shim

import (
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// For the first message of a process, package proto prepares what tells of all messages of
// its file: some 800,000 instructions, a third of those of a process that answers start or
// delete. So their two messages are read and written field by field here.

// readFields calls field for each field of a message. Those that have contents (strings,
// bytes, messages) are of [protowire.BytesType], numbers of [protowire.VarintType].
func readFields(message []byte, field func(n protowire.Number, t protowire.Type, contents []byte, number uint64)) error {
	for len(message) > 0 {
		n, t, size := protowire.ConsumeTag(message)
		if size < 0 {
			return protowire.ParseError(size)
		}
		message = message[size:]
		var (
			contents []byte
			number   uint64
		)
		switch t {
		case protowire.BytesType:
			contents, size = protowire.ConsumeBytes(message)
		case protowire.VarintType:
			number, size = protowire.ConsumeVarint(message)
		default:
			size = protowire.ConsumeFieldValue(n, t, message)
		}
		if size < 0 {
			return fmt.Errorf("field %d: %w", n, protowire.ParseError(size))
		}
		message = message[size:]
		field(n, t, contents, number)
	}
	return nil
}

// appendNumber adds a field that is a number; zero is left out, as proto3 does.
func appendNumber(message []byte, n protowire.Number, value uint64) []byte {
	if value == 0 {
		return message
	}
	message = protowire.AppendTag(message, n, protowire.VarintType)
	return protowire.AppendVarint(message, value)
}

// Field numbers of containerd.task.v2.DeleteResponse and google.protobuf.Timestamp.
const (
	deletePid      = 1
	deleteStatus   = 2
	deleteExitedAt = 3
	seconds        = 1
	nanos          = 2
)

// deleteResponse is x as a containerd.task.v2.DeleteResponse.
func (x Exit) deleteResponse() []byte {
	var b, at []byte
	b = appendNumber(b, deletePid, uint64(uint32(x.Pid)))
	b = appendNumber(b, deleteStatus, uint64(uint32(x.Status)))
	at = appendNumber(at, seconds, uint64(x.At.Unix()))
	at = appendNumber(at, nanos, uint64(x.At.Nanosecond()))
	b = protowire.AppendTag(b, deleteExitedAt, protowire.BytesType)
	return protowire.AppendBytes(b, at)
}

// Field numbers of containerd.runtime.bootstrap.v1.BootstrapParams, of which others say
// nothing to this shim.
const (
	bootInstance  = 1
	bootNamespace = 2
	bootLogLevel  = 3
	bootTTRPC     = 5
	bootGRPC      = 6
	bootSocketDir = 9
)

// logLevelDebug is LogLevel_LOG_LEVEL_DEBUG; what tells more is lower.
const logLevelDebug = -4

// bootstrapParams reads a containerd.runtime.bootstrap.v1.BootstrapParams, and for which
// container it is.
func bootstrapParams(message []byte) (b *bootstrap, id, namespace string, err error) {
	b = new(bootstrap)
	to := map[protowire.Number]*string{
		bootInstance: &id, bootNamespace: &namespace,
		bootTTRPC: &b.ttrpcAddress, bootGRPC: &b.grpcAddress, bootSocketDir: &b.socketDir,
	}
	err = readFields(message, func(n protowire.Number, t protowire.Type, contents []byte, number uint64) {
		if s, ok := to[n]; ok && t == protowire.BytesType {
			*s = string(contents)
		}
		if n == bootLogLevel && t == protowire.VarintType {
			// An enumeration's number is 32 bits wide, and a negative one has 64 on the wire.
			b.debug = int32(number&math.MaxUint32) <= logLevelDebug
		}
	})
	return b, id, namespace, err
}
