package jailctl

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// hook is one of the host's shell.
func hook(script string) specs.Hook {
	return specs.Hook{Path: "/bin/sh", Args: []string{"sh", "-c", script}}
}

// What it left behind holds its output, which is read a little longer than its time.
func TestRunHook_EndsInTime_WhatItLeavesBehindDoesNot(t *testing.T) {
	rt := New(Config{Root: t.TempDir()})
	second := 1
	h := hook("sleep 5 &")
	h.Timeout = &second
	if err := rt.runHooks(t.Context(), "prestart", onHost, []specs.Hook{h}, specs.State{}); err != nil {
		t.Errorf("a hook that ended at once: %v", err)
	}
	h = hook("sleep 5")
	h.Timeout = &second
	if err := rt.runHooks(t.Context(), "prestart", onHost, []specs.Hook{h}, specs.State{}); err == nil || !strings.Contains(err.Error(), "1 s") {
		t.Errorf("a hook that takes too long: error %v", err)
	}
}

func TestRunHooks_OneFails_OnlyThoseAfterTheEndGoOn(t *testing.T) {
	rt := New(Config{Root: t.TempDir()})
	file := filepath.Join(t.TempDir(), "out")
	hooks := []specs.Hook{hook("echo 1 >>" + file + "; exit 3"), hook("echo 2 >>" + file), hook("exit 4")}
	said := func() string {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(strings.Fields(string(b)), " ")
	}
	if err := rt.runHooks(t.Context(), "prestart", onHost, hooks, specs.State{}); err == nil || said() != "1" {
		t.Errorf("got error %v, and %q ran; want an error, and 1", err, said())
	}
	err := rt.runAllHooks(t.Context(), "poststop", onHost, hooks, specs.State{})
	if got := said(); got != "1 1 2" {
		t.Errorf("after the end: %q ran, want 1 and 2", got)
	}
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "exit status 4") {
		t.Errorf("got error %v, want one of both", err)
	}
}
