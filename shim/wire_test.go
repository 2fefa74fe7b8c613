package shim

import (
	"bytes"
	"testing"
	"time"

	bootapi "github.com/containerd/containerd/api/runtime/bootstrap/v1"
	"github.com/containerd/containerd/api/runtime/task/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func TestDeleteResponse_AsPackageProto(t *testing.T) {
	for _, x := range []Exit{
		{},
		{Pid: 1234, Status: 137, At: time.Unix(1700000000, 5)},
		{Pid: 1, At: time.Unix(0, 0)},
		{Status: 255, At: time.Unix(-5, 999999999)},
	} {
		want := marshal(t, &task.DeleteResponse{Pid: uint32(x.Pid), ExitStatus: uint32(x.Status), ExitedAt: timestamppb.New(x.At)})
		if got := x.deleteResponse(); !bytes.Equal(got, want) {
			t.Errorf("%+v: got %x, want %x", x, got, want)
		}
	}
}

// Each level of the log, and every field that is not ours to know.
func TestBootstrapParams_AsPackageProto(t *testing.T) {
	for level := range bootapi.LogLevel_name {
		dir := "d"
		b, id, namespace, err := bootstrapParams(marshal(t, &bootapi.BootstrapParams{
			InstanceID: "i", Namespace: "n", LogLevel: bootapi.LogLevel(level), ContainerdVersion: "v", ContainerdTtrpcAddress: "t",
			ContainerdGrpcAddress: "g", ContainerdBinary: "b", Extensions: []*bootapi.Extension{{Value: &anypb.Any{TypeUrl: "x"}}}, SocketDir: &dir,
		}))
		want := bootstrap{ttrpcAddress: "t", grpcAddress: "g", socketDir: "d", debug: level <= int32(bootapi.LogLevel_LOG_LEVEL_DEBUG)}
		if err != nil || id != "i" || namespace != "n" || *b != want {
			t.Errorf("level %d: got %+v of %q in %q, %v", level, *b, id, namespace, err)
		}
	}
}

// What package proto reads is read the same; what it refuses for other reasons than its
// form (a string that is no UTF-8) may be read.
func FuzzBootstrapParams(f *testing.F) {
	f.Add(params(f))
	f.Add(legacy(f))
	f.Add([]byte("\x0d1234\x13\x14"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var want bootapi.BootstrapParams
		if proto.Unmarshal(in, &want) != nil {
			_, _, _, _ = bootstrapParams(in) // it must not panic
			return
		}
		b, id, namespace, err := bootstrapParams(in)
		if err != nil || id != want.InstanceID || namespace != want.Namespace || b.socketDir != want.GetSocketDir() ||
			b.grpcAddress != want.ContainerdGrpcAddress || b.ttrpcAddress != want.ContainerdTtrpcAddress ||
			b.debug != (want.LogLevel <= bootapi.LogLevel_LOG_LEVEL_DEBUG) {
			t.Errorf("got %+v of %q in %q, %v; want %v", b, id, namespace, err, &want)
		}
	})
}
