package cni

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"jailshim/netsetup"
	"jailshim/netsetup/locked"
)

// RunDir is where records are kept by default; gone at a reboot, as the interfaces are.
const RunDir = "/var/run/jailshim/cni"

// ownerPrefix begins the keys under which package netsetup knows the plugin's
// containers. No container of others has one: their names begin with a letter or a
// digit.
const ownerPrefix = "_cni-"

// owner returns the key of an attachment.
func owner(network, containerID, ifName string) string {
	sum := sha256.Sum256([]byte(network + "\x00" + containerID + "\x00" + ifName))
	return ownerPrefix + hex.EncodeToString(sum[:10])
}

// record is what DEL needs. It is written before anything is taken, without the
// attachment then.
type record struct {
	Name       string               `json:"name"` // of the CNI network
	ID         attachmentID         `json:"id"`
	Jail       string               `json:"jail"`
	Config     string               `json:"config"`
	Attachment *netsetup.Attachment `json:"attachment,omitempty"`
}

func (r *record) owner() string { return owner(r.Name, r.ID.ContainerID, r.ID.IfName) }

// records are the records of a folder.
type records struct{ folder *locked.Folder }

func openRecords(dir string) (records, error) {
	folder, err := locked.Open(dir)
	return records{folder}, err
}

// read returns an owner's record; nil if there is none.
func (s records) read(ctx context.Context, owner string) (*record, error) {
	rec := &record{}
	err := s.folder.Do(ctx, func() error { return s.folder.Read(owner, rec) })
	if err != nil || rec.Name == "" {
		return nil, err
	}
	return rec, nil
}

// claim writes the record of an ADD, of which there must be none.
func (s records) claim(ctx context.Context, rec *record) error {
	return s.folder.Do(ctx, func() error {
		var old record
		if err := s.folder.Read(rec.owner(), &old); err != nil {
			return err
		}
		if old.Name != "" {
			return failed(codeTaken, "container %q is attached already as %s: DEL comes first", rec.ID.ContainerID, rec.ID.IfName)
		}
		return s.folder.Write(rec.owner(), rec)
	})
}

func (s records) write(ctx context.Context, rec *record) error {
	return s.folder.Do(ctx, func() error { return s.folder.Write(rec.owner(), rec) })
}

// owners returns the keys of all records.
func (s records) owners() ([]string, error) {
	all, err := s.folder.Names()
	return slices.DeleteFunc(all, func(name string) bool { return !strings.HasPrefix(name, ownerPrefix) }), err
}

// Owners returns the keys of the containers that the plugin has attached, or is about
// to attach, with records in dir: whoever collects garbage in package netsetup must
// take them to be alive.
func Owners(dir string) ([]string, error) {
	s, err := openRecords(dir)
	if err != nil {
		return nil, err
	}
	return s.owners()
}

// detachTimeout bounds the undoing of an ADD that failed.
const detachTimeout = 20 * time.Second

// detach removes all of an owner, then its record. It needs neither a record nor the
// attachment in it: who wrote one may have been killed, or the machine restarted.
func (s records) detach(ctx context.Context, manager Networks, owner string, a *netsetup.Attachment) error {
	var err error
	if a != nil {
		err = manager.Detach(ctx, a)
	} else {
		_, err = manager.GC(ctx, func(o string) bool { return o != owner })
	}
	if err != nil {
		return err
	}
	return s.remove(ctx, owner)
}

func (s records) remove(ctx context.Context, owner string) error {
	return s.folder.Do(ctx, func() error { return s.folder.Remove(owner) })
}

// undo is detach for an ADD that failed with err. Without an attachment it has taken
// nothing, and what the owner has in package netsetup is not its own.
func (s records) undo(ctx context.Context, manager Networks, rec *record, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), detachTimeout)
	defer cancel()
	if rec.Attachment == nil {
		return errors.Join(err, s.remove(ctx, rec.owner()))
	}
	return errors.Join(err, s.detach(ctx, manager, rec.owner(), rec.Attachment))
}
