//go:build !freebsd

package kernel

import "os"

// Mount returns [ErrUnsupported].
func Mount(string, string, []MountOption, int) error { return ErrUnsupported }

// MountAt returns [ErrUnsupported].
func MountAt(string, *os.File, string, []MountOption, int) error { return ErrUnsupported }

// Unmount returns [ErrUnsupported].
func Unmount(string, bool) error { return ErrUnsupported }

// UnmountID returns [ErrUnsupported].
func UnmountID(FSID, bool) error { return ErrUnsupported }

// Mounts returns [ErrUnsupported].
func Mounts() ([]MountInfo, error) { return nil, ErrUnsupported }

// MountOf returns [ErrUnsupported].
func MountOf(string) (MountInfo, error) { return MountInfo{}, ErrUnsupported }

// MountOfFile returns [ErrUnsupported].
func MountOfFile(int) (MountInfo, error) { return MountInfo{}, ErrUnsupported }
