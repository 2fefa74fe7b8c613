package zfs

import (
	"slices"
	"sync"
)

// locks are mutexes by name. Nobody holds one while he waits for another, except that
// lock takes several in order.
type locks struct {
	mu   sync.Mutex // guards the field below
	held map[string]*nameLock
}

type nameLock struct {
	mu    sync.Mutex
	users int
}

// lock takes the locks of all names and returns what releases them.
func (l *locks) lock(names ...string) (unlock func()) {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	for _, name := range names {
		l.get(name).mu.Lock()
	}
	return func() {
		for _, name := range slices.Backward(names) {
			l.release(name)
		}
	}
}

func (l *locks) get(name string) *nameLock {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == nil {
		l.held = map[string]*nameLock{}
	}
	n := l.held[name]
	if n == nil {
		n = &nameLock{}
		l.held[name] = n
	}
	n.users++
	return n
}

func (l *locks) release(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.held[name]
	n.mu.Unlock()
	if n.users--; n.users == 0 {
		delete(l.held, name)
	}
}
