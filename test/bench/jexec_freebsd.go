package main

import (
	"fmt"
	"os/exec"
	"strconv"
	"time"

	"github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/typeurl/v2"

	"jailshim/jailctl/kernel"
)

// exec runs trueProgram in the running container: through the task service, or by
// jexec(8).
func (j *jails) exec(ours bool) (sample, error) {
	if ours {
		return j.servedExec()
	}
	p, err := kernel.ProcessByID(int(j.service.task.Pid()))
	if err != nil {
		return nil, err
	}
	began := time.Now()
	err = exec.CommandContext(j.bench.ctx, "/usr/sbin/jexec", strconv.Itoa(p.Jid), trueProgram).Run()
	return milliseconds(time.Since(began)), err
}

func (j *jails) servedExec() (sample, error) {
	ctx, id, execID := j.bench.ctx, j.service.container.ID(), j.bench.id()
	process := *j.spec.Process
	process.Args = []string{trueProgram}
	spec, err := typeurl.MarshalAnyToProto(&process)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if _, err := j.tasks.Exec(ctx, &task.ExecProcessRequest{ID: id, ExecID: execID, Spec: spec}); err != nil {
		return nil, err
	}
	if _, err := j.tasks.Start(ctx, &task.StartRequest{ID: id, ExecID: execID}); err != nil {
		return nil, err
	}
	exit, err := j.tasks.Wait(ctx, &task.WaitRequest{ID: id, ExecID: execID})
	if err != nil {
		return nil, err
	}
	if exit.ExitStatus != 0 {
		return nil, fmt.Errorf("exec %s: exit status %d", execID, exit.ExitStatus)
	}
	_, err = j.tasks.Delete(ctx, &task.DeleteRequest{ID: id, ExecID: execID})
	return milliseconds(time.Since(began)), err
}
