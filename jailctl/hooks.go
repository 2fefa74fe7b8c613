package jailctl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"jailshim/internal/lazyjson"
)

// hookGrace is how long the output of a hook that has ended, or was killed, is
// still read: what it started may hold it open.
const hookGrace = time.Second

// createHooks runs the hooks that belong to Create, on the host. The jail is
// made and its init waits in it. There is no mount namespace to tell the points
// apart, so all three see the same files.
func (k *Container) createHooks(ctx context.Context) error {
	h := k.plan.Hooks
	if h == nil {
		return nil
	}
	// What the first of them did the poststop hooks undo, also if another one fails.
	k.mu.Lock()
	k.state.Hooked = true
	k.mu.Unlock()
	if err := k.save(); err != nil {
		return err
	}
	for _, point := range []struct {
		name  string
		hooks []specs.Hook
	}{
		//nolint:staticcheck // prestart is deprecated, and still in use
		{"prestart", h.Prestart},
		{"createRuntime", h.CreateRuntime},
		{"createContainer", h.CreateContainer},
	} {
		if err := k.rt.runHooks(ctx, point.name, onHost, point.hooks, k.ociState(specs.StateCreating)); err != nil {
			return err
		}
	}
	return nil
}

// startHooks runs the startContainer hooks, in the jail, right before the program.
func (k *Container) startHooks(ctx context.Context, st *State) error {
	if len(st.StartContainer) == 0 {
		return nil
	}
	if err := k.rt.runHooks(ctx, "startContainer", st.JID, st.StartContainer, st.oci(specs.StateCreated)); err != nil {
		return errorf(st.Jail, "start: %w", err)
	}
	return nil
}

// HasStartHooks reports whether Start runs commands of the user's, and so may take
// any time.
func (k *Container) HasStartHooks() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.state.StartContainer)+len(k.state.Poststart) > 0
}

// onHost is the jail of hooks that run in none.
const onHost = 0

// runHooks runs hooks one after the other, each to its end, in a jail or onHost. The
// first that fails ends it.
func (r *Runtime) runHooks(ctx context.Context, point string, jid int, hooks []specs.Hook, state specs.State) error {
	if len(hooks) == 0 {
		return nil
	}
	in, err := lazyjson.Marshal(state)
	if err != nil {
		return err
	}
	for _, h := range hooks {
		if err := r.runHook(ctx, jid, &h, in); err != nil {
			return fmt.Errorf("%s hook %s: %w", point, h.Path, err)
		}
	}
	return nil
}

// runAllHooks is runHooks for hooks of which the others run if one fails. The error
// tells of all that did.
func (r *Runtime) runAllHooks(ctx context.Context, point string, jid int, hooks []specs.Hook, state specs.State) error {
	var errs []error
	for i := range hooks {
		errs = append(errs, r.runHooks(ctx, point, jid, hooks[i:i+1], state))
	}
	return errors.Join(errs...)
}

func (r *Runtime) runHook(ctx context.Context, jid int, h *specs.Hook, state []byte) error {
	if h.Timeout != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(*h.Timeout)*time.Second)
		defer cancel()
	}
	var out bytes.Buffer
	cmd, err := r.startHook(ctx, jid, h, state, &out)
	if err != nil {
		return err
	}
	err = r.config.Commands.Wait(cmd)
	switch {
	case err == nil || errors.Is(err, exec.ErrWaitDelay):
		return nil // it ended well, if it also left something behind
	case errors.Is(ctx.Err(), context.DeadlineExceeded) && h.Timeout != nil:
		return fmt.Errorf("not done within %d s", *h.Timeout)
	case err != nil && out.Len() > 0:
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(out.String()))
	}
	return err
}

// startHook starts a hook. One for a jail is refused while this process has a folder
// open, which another call may have for a moment.
func (r *Runtime) startHook(ctx context.Context, jid int, h *specs.Hook, state []byte, out io.Writer) (*exec.Cmd, error) {
	attributes, err := inJail(jid)
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(hookGrace); ; time.Sleep(longPause) {
		cmd := exec.CommandContext(ctx, h.Path)
		cmd.SysProcAttr = attributes
		if len(h.Args) > 0 {
			cmd.Args = h.Args
		}
		cmd.Env = append([]string{}, h.Env...) // nil would be ours
		cmd.Stdin = bytes.NewReader(state)
		cmd.Stdout, cmd.Stderr = out, out
		cmd.WaitDelay = hookGrace
		err := r.config.Commands.Start(cmd)
		if jid == onHost || !errors.Is(err, errPermission) || time.Now().After(end) {
			return cmd, err
		}
	}
}

// ociState is what hooks read, and the OCI command prints.
func (k *Container) ociState(status specs.ContainerState) specs.State {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state.oci(status)
}

// AnnotationJID is the key under which the state tells the jail's number, as a
// string; the same as ocijail's.
const AnnotationJID = "org.freebsd.jail.jid"

func (st *State) oci(status specs.ContainerState) specs.State {
	a := make(map[string]string, len(st.Annotations)+1)
	for k, v := range st.Annotations {
		a[k] = v
	}
	if st.JID != 0 {
		a[AnnotationJID] = fmt.Sprint(st.JID)
	}
	pid := st.Init.Pid
	if status == specs.StateStopped {
		pid = 0 // it may be another process's by now
	}
	return specs.State{
		Version:     specs.Version,
		ID:          st.ID,
		Status:      status,
		Pid:         pid,
		Bundle:      st.Bundle,
		Annotations: a,
	}
}
