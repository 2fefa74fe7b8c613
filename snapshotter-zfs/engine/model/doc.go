// Package model is a ZFS in memory, an [engine.Engine] for tests. It keeps what
// decides whether the snapshotter is right:
//
//   - Transaction groups. A change is applied to the open group and returns when that
//     group is on disk; callers that wait at the same time share one. [Pool.Txgs]
//     counts them.
//   - Crashes. [Pool.Crash] is a power loss: what no group has brought to disk is
//     gone, files that were written among it, and nothing is mounted any more.
//     [Pool.OnStep] sees each step of each change, so that a test can crash there.
//   - Owners. A mount owns its dataset or snapshot ([Pool.Own]), there is one owner at
//     most, and an owned file system is not destroyed.
//   - Clones, deferred destruction, quotas, a pool that is full, a pool that is not
//     imported.
//
// It has no files of its own kind, only names with contents ([Pool.WriteFile]).
package model
