package zfs

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/containerd/errdefs"
	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// The buckets of the database.
var (
	bucketMeta    = []byte("meta")      // version, epoch
	bucketRecords = []byte("snapshots") // key of containerd's -> record
	bucketCache   = []byte("cache")     // VOLUME@SNAP -> record
)

var (
	keyVersion = []byte("version")
	keyEpoch   = []byte("epoch")
	keyKnown   = []byte("known")
	keyID      = []byte("id") // of the database; no other has it
)

const storeVersion = 1

// lockWait is how long to wait for another process that has the database: a command,
// while the daemon starts.
const lockWait = 10 * time.Second

// put is a change of the database: a record, or its removal if that is nil.
type put struct {
	bucket []byte
	key    string
	record *record
}

// store is the database. Its writer puts all changes that wait into one transaction.
type store struct {
	db     *bolt.DB
	id     string
	writes chan write
	done   chan struct{}
}

type write struct {
	puts  []put
	reply chan error
}

// openStore opens or makes the database.
func openStore(path string) (*store, error) {
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: lockWait, NoFreelistSync: true, FreelistType: bolt.FreelistMapType})
	if err != nil {
		if errors.Is(err, bolterrors.ErrTimeout) {
			return nil, fmt.Errorf("database %q is used by another process: %w", path, errdefs.ErrFailedPrecondition)
		}
		return nil, fmt.Errorf("database %q (if it is damaged, stop the daemon and remove the file: it is made again from ZFS): %w", path, err)
	}
	if err := db.Update(initStore); err != nil {
		return nil, errors.Join(fmt.Errorf("database %q: %w", path, err), db.Close())
	}
	id, err := databaseID(db)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("database %q: %w", path, err), db.Close())
	}
	s := &store{db: db, id: id, writes: make(chan write), done: make(chan struct{})}
	// goroutine: store; ends when writes is closed; waited for by close.
	go s.write()
	return s, nil
}

func initStore(tx *bolt.Tx) error {
	for _, b := range [][]byte{bucketMeta, bucketRecords, bucketCache} {
		if _, err := tx.CreateBucketIfNotExists(b); err != nil {
			return err
		}
	}
	meta := tx.Bucket(bucketMeta)
	v := meta.Get(keyVersion)
	if v == nil {
		return meta.Put(keyVersion, []byte{storeVersion})
	}
	if len(v) != 1 || v[0] != storeVersion {
		return fmt.Errorf("it is of version %v, this program knows %d: %w", v, storeVersion, errdefs.ErrFailedPrecondition)
	}
	return nil
}

// databaseID returns the id of a database. It gets one when it is made; those of older
// versions, now.
func databaseID(db *bolt.DB) (id string, err error) {
	err = db.Update(func(tx *bolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		if v := meta.Get(keyID); v != nil {
			id = string(v)
			return nil
		}
		id = rand.Text()
		return meta.Put(keyID, []byte(id))
	})
	return id, err
}

// known tells whether the database has ever been compared with ZFS: if not, it is new,
// and says nothing about what is there.
func (s *store) known() (bool, error) {
	known := false
	err := s.db.View(func(tx *bolt.Tx) error {
		known = tx.Bucket(bucketMeta).Get(keyKnown) != nil
		return nil
	})
	return known, err
}

// begin starts a new epoch, greater than the last one and than least.
func (s *store) begin(least uint64) (uint64, error) {
	var epoch uint64
	err := s.db.Update(func(tx *bolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		if b := meta.Get(keyEpoch); len(b) == 8 {
			epoch = binary.BigEndian.Uint64(b)
		}
		epoch = max(epoch, least) + 1
		return meta.Put(keyEpoch, binary.BigEndian.AppendUint64(nil, epoch))
	})
	if err != nil {
		return 0, fmt.Errorf("start an epoch: %w", storeError(err))
	}
	return epoch, nil
}

// setKnown notes that the records are those of the ZFS.
func (s *store) setKnown() error {
	return storeError(s.db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketMeta).Put(keyKnown, []byte{1})
	}))
}

// load calls f for each record of a bucket.
func (s *store) load(bucket []byte, f func(key string, r *record)) error {
	return s.db.View(func(tx *bolt.Tx) error {
		return tx.Bucket(bucket).ForEach(func(k, v []byte) error {
			r := new(record)
			if err := json.Unmarshal(v, r); err != nil {
				return fmt.Errorf("record %q: %w", k, err)
			}
			f(string(k), r)
			return nil
		})
	})
}

// apply makes changes, all or none, and returns when they are on disk.
func (s *store) apply(puts ...put) error {
	w := write{puts: puts, reply: make(chan error, 1)}
	select {
	case s.writes <- w:
		return <-w.reply
	case <-s.done:
		return fmt.Errorf("the snapshotter is closed: %w", errdefs.ErrFailedPrecondition)
	}
}

// maxWrites is how many changes one transaction takes.
const maxWrites = 256

func (s *store) write() {
	for {
		select {
		case w := <-s.writes:
			s.writeAll(s.gather(w))
		case <-s.done:
			return
		}
	}
}

// gather returns w and what else waits.
func (s *store) gather(w write) []write {
	all := []write{w}
	for len(all) < maxWrites {
		select {
		case w := <-s.writes:
			all = append(all, w)
		default:
			return all
		}
	}
	return all
}

// writeAll makes changes. If one of several can't be made, each is tried alone.
func (s *store) writeAll(all []write) {
	err := s.db.Update(func(tx *bolt.Tx) error {
		for _, w := range all {
			if err := putAll(tx, w.puts); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && len(all) > 1 {
		for _, w := range all {
			s.writeAll([]write{w})
		}
		return
	}
	for _, w := range all {
		w.reply <- storeError(err)
	}
}

func putAll(tx *bolt.Tx, puts []put) error {
	for _, p := range puts {
		b := tx.Bucket(p.bucket)
		if p.record == nil {
			if err := b.Delete([]byte(p.key)); err != nil {
				return err
			}
			continue
		}
		v, err := json.Marshal(p.record)
		if err != nil {
			return err
		}
		if err := b.Put([]byte(p.key), v); err != nil {
			return err
		}
	}
	return nil
}

// storeError adds the class of a failed write.
func storeError(err error) error {
	switch {
	case err == nil:
		return nil
	case isFull(err):
		return fmt.Errorf("write the database: %w: %w", errdefs.ErrResourceExhausted, err)
	case errors.Is(err, os.ErrPermission), errors.Is(err, bolterrors.ErrDatabaseReadOnly):
		return fmt.Errorf("write the database: %w: %w", errdefs.ErrPermissionDenied, err)
	default:
		return fmt.Errorf("write the database: %w", err)
	}
}

// close ends the writer and closes the file. Calls of apply must have ended.
func (s *store) close() error {
	close(s.done)
	return s.db.Close()
}
