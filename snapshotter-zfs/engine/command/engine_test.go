package command

import (
	"os"
	"testing"

	"jailshim/snapshotter-zfs/engine"
	"jailshim/snapshotter-zfs/engine/enginetest"
	"jailshim/snapshotter-zfs/zfstest"
)

func TestMain(m *testing.M) { os.Exit(zfstest.Main(m)) }

// TestEngine runs the suite on the ZFS of the machine: on Linux zfs-fuse, on FreeBSD
// the kernel's.
func TestEngine(t *testing.T) {
	zfstest.Require(t)
	p := zfstest.NewPool(t, zfstest.PoolSize)
	enginetest.Run(t, enginetest.Setup{
		Open: func(tb testing.TB) (engine.Engine, string) {
			tb.Helper()
			e, err := Open(tb.Context(), p.Name, Config{})
			if err != nil {
				tb.Fatal(err)
			}
			root := p.Temporary(tb)
			tb.Cleanup(func() {
				if err := e.Close(); err != nil {
					tb.Error(err)
				}
			})
			return e, root
		},
		Fill: func(tb testing.TB, _ engine.Engine, dataset string, n int) {
			tb.Helper()
			zfstest.Fill(tb, dataset, n)
		},
		Use: func(tb testing.TB, _ engine.Engine, dataset string) func() {
			tb.Helper()
			return zfstest.Use(tb, dataset)
		},
	})
}
