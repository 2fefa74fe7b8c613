package cni

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/containerd/errdefs"

	"jailshim/netsetup/port"
)

// plain is the smallest configuration; %s is the file with the networks.
const plain = `{"cniVersion": "1.1.0", "name": "pods", "type": "cni-jail-bridge", "network": "default", "config": %q}`

func TestRun_AddThenDel(t *testing.T) {
	w := newWorld(t)
	got, ok := w.call("ADD", plain, nil)
	const want = `{"cniVersion":"1.1.0",` +
		`"interfaces":[{"name":"js-default"},{"name":"jn0"},{"name":"eth0","mac":"02:00:00:00:00:01","mtu":1500,"sandbox":"pod"}],` +
		`"ips":[{"address":"10.88.0.2/16","gateway":"10.88.0.1","interface":2},{"address":"fd00:88::2/64","gateway":"fd00:88::1","interface":2}],` +
		`"routes":[{"dst":"0.0.0.0/0","gw":"10.88.0.1"},{"dst":"::/0","gw":"fd00:88::1"}],` +
		`"dns":{"nameservers":["192.0.2.53"],"search":["example.org"],"options":["ndots:2"]}}` + "\n"
	if !ok || got != want {
		t.Errorf("ADD:\ngot  %s\nwant %s", got, want)
	}
	if owners, err := Owners(w.RunDir); err != nil || len(owners) != 1 || w.attached[owners[0]] != 7 {
		t.Errorf("records %v, %v; attached %v", owners, err, w.attached)
	}
	for range 2 {
		// The jail may be gone, and the runtime then gives no name.
		if got, ok := w.call("DEL", plain, func(c *Call) { c.NetNS = "" }); !ok || got != "" {
			t.Errorf("DEL: %s", got)
		}
		w.wantEmpty("DEL")
	}
}

// Runtimes that know older versions get what these had.
func TestRun_OlderVersions(t *testing.T) {
	for version, want := range map[string]string{
		"0.3.1": `"ips":[{"version":"4","address":"10.99.0.2/24","gateway":"10.99.0.1","interface":2}]`,
		"0.4.0": `"ips":[{"version":"4","address":"10.99.0.2/24","gateway":"10.99.0.1","interface":2}]`,
		"1.0.0": `"ips":[{"address":"10.99.0.2/24","gateway":"10.99.0.1","interface":2}]`,
		"1.1.0": `"mtu":1500`,
	} {
		w := newWorld(t)
		// Without a key of its own, the network is that of the name.
		got, ok := w.call("ADD", `{"cniVersion": "`+version+`", "name": "lan", "config": %q}`, nil)
		if !ok || !strings.Contains(got, want) || !strings.Contains(got, `"cniVersion":"`+version+`"`) || strings.Contains(got, "mtu") != (version == "1.1.0") {
			t.Errorf("%s: %s", version, got)
		}
		if !strings.Contains(got, `{"dst":"198.51.100.0/24","gw":"10.99.0.9"}`) {
			t.Errorf("%s: no route: %s", version, got)
		}
	}
	got, ok := newWorld(t).call("VERSION", `{"cniVersion": "1.1.0"}%.0s`, nil)
	if want := `{"cniVersion":"1.1.0","supportedVersions":["0.3.1","0.4.0","1.0.0","1.1.0"]}` + "\n"; !ok || got != want {
		t.Errorf("VERSION: %s", got)
	}
}

// wantError checks an answer that is an error.
func wantError(t *testing.T, what, got string, ok bool, code int, word string) {
	t.Helper()
	var e struct {
		CNIVersion string
		Code       int
		Msg        string
	}
	if err := json.Unmarshal([]byte(got), &e); ok || err != nil || e.Code != code || e.CNIVersion == "" || !strings.Contains(e.Msg, word) {
		t.Errorf("%s: %t, %v, %s; want code %d with %q", what, ok, err, got, code, word)
	}
}

func TestRun_Refuses(t *testing.T) {
	with := func(keys string) string { return strings.TrimSuffix(plain, "}") + ", " + keys + "}" }
	for what, c := range map[string]struct {
		command, conf string
		edit          func(*Call)
		code          int
		word          string
	}{
		"command":         {"MOVE", plain, nil, 4, "MOVE"},
		"no command":      {"", plain, nil, 4, "CNI_COMMAND"},
		"no JSON":         {"ADD", "x%.0s", nil, 6, "network configuration"},
		"version":         {"ADD", `{"cniVersion": "2.0.0", "name": "x", "config": %q}`, nil, 1, "2.0.0"},
		"GC too early":    {"GC", `{"cniVersion": "1.0.0", "name": "x", "config": %q}`, nil, 1, "1.1.0"},
		"no name":         {"ADD", `{"cniVersion": "1.1.0", "config": %q}`, nil, 7, "key name"},
		"name":            {"ADD", `{"cniVersion": "1.1.0", "name": "../x", "config": %q}`, nil, 7, "../x"},
		"unknown network": {"ADD", `{"cniVersion": "1.1.0", "name": "nowhere", "config": %q}`, nil, 7, "nowhere"},
		"no container":    {"ADD", plain, func(c *Call) { c.ContainerID = "" }, 4, "CNI_CONTAINERID"},
		"container":       {"DEL", plain, func(c *Call) { c.ContainerID = "../x" }, 4, "CNI_CONTAINERID"},
		"no interface":    {"ADD", plain, func(c *Call) { c.IfName = "" }, 4, "CNI_IFNAME"},
		"interface":       {"ADD", plain, func(c *Call) { c.IfName = "sixteen-bytes-xx" }, 4, "CNI_IFNAME"},
		"no jail":         {"ADD", plain, func(c *Call) { c.NetNS = "" }, 4, "CNI_NETNS"},
		"path":            {"ADD", plain, func(c *Call) { c.NetNS = "/var/run/netns/x" }, 4, "is a path"},
		"jail":            {"ADD", plain, func(c *Call) { c.NetNS = "gone" }, 3, "gone"},
		"host's network":  {"ADD", plain, func(c *Call) { c.NetNS = "plain" }, 4, "no network stack"},
		"address":         {"ADD", with(`"runtimeConfig": {"ips": ["x"]}`), nil, 7, `"x" is no address`},
		"two addresses":   {"ADD", with(`"runtimeConfig": {"ips": ["10.88.0.5", "10.88.0.6/16"]}`), nil, 7, "of one family"},
		"MAC":             {"ADD", with(`"runtimeConfig": {"mac": "x"}`), nil, 7, "mac"},
		"host's address":  {"ADD", with(`"runtimeConfig": {"portMappings": [{"hostPort": 1, "containerPort": 1, "hostIP": "x"}]}`), nil, 7, "no address of a host"},
		"port":            {"ADD", with(`"runtimeConfig": {"portMappings": [{"hostPort": 70000, "containerPort": 1}]}`), nil, 6, "70000"},
		"protocol":        {"ADD", with(`"runtimeConfig": {"portMappings": [{"hostPort": 1, "containerPort": 1, "protocol": "icmp"}]}`), nil, 7, "icmp"},
		"two ports":       {"ADD", with(`"runtimeConfig": {"portMappings": [{"hostPort": 1, "containerPort": 1}, {"hostPort": 1, "containerPort": 2}]}`), nil, 7, "both want"},
		"GC's list":       {"GC", plain, nil, 7, "valid-attachments"},
		"CHECK, unknown":  {"CHECK", plain, nil, 3, "not attached"},
	} {
		w := newWorld(t)
		got, ok := w.call(c.command, c.conf, c.edit)
		wantError(t, what, got, ok, c.code, c.word)
		w.wantEmpty(what)
	}
}

func TestRun_RequestsReachTheNetwork(t *testing.T) {
	w := newWorld(t)
	conf := strings.TrimSuffix(plain, "}") + `, "runtimeConfig": {"mac": "02:03:04:05:06:07", "ips": ["10.88.0.5/16"], "portMappings": [
		{"hostPort": 8080, "containerPort": 80, "protocol": "TCP"}, {"hostPort": 53, "containerPort": 53, "protocol": "udp", "hostIP": "192.0.2.7"},
		{"hostPort": 81, "containerPort": 81, "hostIP": "0.0.0.0"}, {"hostPort": 0, "containerPort": 82}]}}`
	if got, ok := w.call("ADD", conf, func(c *Call) { c.Args = "IgnoreUnknown=1;K8S_POD_NAME=web;IP=fd00:88::5" }); !ok {
		t.Fatal(got)
	}
	for _, r := range w.taken {
		if got, want := port.Format(r.Ports), "8080:80/tcp,192.0.2.7:53:53/udp,81:81/tcp"; got != want {
			t.Errorf("ports %s, want %s", got, want)
		}
		if r.IPv4.String() != "10.88.0.5" || r.IPv6.String() != "fd00:88::5" || r.MAC.String() != "02:03:04:05:06:07" || r.Network != "default" || r.Interface != "eth0" {
			t.Errorf("%+v", r)
		}
		if !reflect.DeepEqual(r.Names, []string{"web", "c1"}) {
			t.Errorf("names %v", r.Names)
		}
	}
	got, ok := w.call("ADD", plain, nil)
	wantError(t, "ADD again", got, ok, 101, "DEL comes first")
	if len(w.attached) != 1 {
		t.Errorf("attached %v", w.attached)
	}
}

// A failing ADD leaves nothing, and its code tells the kind of failure.
func TestAdd_FailsAtEachStep(t *testing.T) {
	for _, method := range []string{"Open", "Reserve", "Attach", "Configure"} {
		for class, code := range map[error]int{
			errInjected: 999, errdefs.ErrResourceExhausted: 100, errdefs.ErrAlreadyExists: 101, errdefs.ErrFailedPrecondition: 102,
			errdefs.ErrUnavailable: 11, errdefs.ErrInvalidArgument: 7,
		} {
			w := newWorld(t)
			w.fail[method] = fmt.Errorf("cause: %w", class)
			got, ok := w.call("ADD", plain, nil)
			wantError(t, method, got, ok, code, "cause")
			w.wantEmpty(method)
		}
	}
	// What can't be undone stays recorded, for DEL.
	w := newWorld(t)
	w.fail["Configure"], w.fail["Detach"] = errInjected, errors.New("stuck")
	got, ok := w.call("ADD", plain, nil)
	wantError(t, "undo fails", got, ok, 999, "stuck")
	delete(w.fail, "Detach")
	if got, ok := w.call("DEL", plain, nil); !ok {
		t.Error(got)
	}
	w.wantEmpty("DEL")
}

// Who is refused a place drops nothing: an owner without a record may be attached.
func TestAdd_Refused_KeepsWhatTheOwnerHas(t *testing.T) {
	w := newWorld(t)
	if got, ok := w.call("ADD", plain, nil); !ok {
		t.Fatal(got)
	}
	if err := os.RemoveAll(w.RunDir); err != nil {
		t.Fatal(err)
	}
	w.fail["Reserve"] = errdefs.ErrAlreadyExists
	got, ok := w.call("ADD", plain, nil)
	wantError(t, "Reserve", got, ok, 101, "")
	if owners, err := Owners(w.RunDir); err != nil || len(owners) > 0 || len(w.taken) != 1 || len(w.attached) != 1 {
		t.Errorf("records %v, %v; taken %v, attached %v", owners, err, w.taken, w.attached)
	}
}

// A plugin that is killed leaves what DEL or GC finds; until then its owner is known.
func TestAdd_KilledAtEachStep(t *testing.T) {
	list := strings.TrimSuffix(plain, "}") + `, "cni.dev/valid-attachments": null}`
	for _, method := range []string{"Reserve", "Attach", "Configure"} {
		for command, conf := range map[string]string{"DEL": plain, "GC": list} {
			w := newWorld(t)
			w.kill = method
			func() {
				defer func() {
					if _, ok := recover().(killed); !ok {
						t.Errorf("%s: was not killed", method)
					}
				}()
				w.call("ADD", plain, nil)
			}()
			w.kill = ""
			owners, err := Owners(w.RunDir)
			if _, taken := w.taken[owners[0]]; err != nil || len(owners) != 1 || !taken {
				t.Fatalf("%s: records %v, %v; taken %v", method, owners, err, w.taken)
			}
			if got, ok := w.call(command, conf, nil); !ok {
				t.Errorf("%s, %s: %s", method, command, got)
			}
			w.wantEmpty(method + ", " + command)
		}
	}
}

// After a reboot there is no record, but an address may be leased still.
func TestDel_WithoutRecord(t *testing.T) {
	w := newWorld(t)
	if got, ok := w.call("ADD", plain, nil); !ok {
		t.Fatal(got)
	}
	other, ok := w.call("ADD", plain, func(c *Call) { c.ContainerID, c.NetNS = "c2", "other" })
	if !ok {
		t.Fatal(other)
	}
	w.RunDir = t.TempDir()
	if got, ok := w.call("DEL", plain, nil); !ok {
		t.Error(got)
	}
	if len(w.taken) != 1 || len(w.attached) != 1 {
		t.Errorf("taken %v, want c2 alone", w.taken)
	}
}

func TestCheck(t *testing.T) {
	for what, c := range map[string]struct {
		change func(w *world)
		prev   string // in place of ADD's answer
		edit   func(*Call)
		code   int
		word   string
	}{
		"as it was":       {},
		"interface gone":  {change: func(w *world) { w.inside[7] = nil }, code: 103, word: `no interface "eth0"`},
		"interface down":  {change: func(w *world) { w.inside[7][0].Flags = 0 }, code: 103, word: "is down"},
		"address gone":    {change: func(w *world) { w.inside[7][0].Addrs = w.inside[7][0].Addrs[:1] }, code: 103, word: "lost its address fd00:88::2/64"},
		"another jail":    {edit: func(c *Call) { c.NetNS = "other" }, code: 4, word: "pod"},
		"another result":  {prev: `{"ips": [{"address": "10.88.0.3/16"}]}`, code: 7, word: "10.88.0.2/16"},
		"no result":       {prev: `{"ips": 1}`, code: 6, word: "prevResult"},
		"can't be looked": {change: func(w *world) { w.fail["Interfaces"] = errInjected }, code: 999, word: "injected"},
	} {
		w := newWorld(t)
		prev, ok := w.call("ADD", plain, nil)
		if !ok {
			t.Fatal(prev)
		}
		if c.prev != "" {
			prev = c.prev
		}
		if c.change != nil {
			c.change(w)
		}
		got, ok := w.call("CHECK", strings.TrimSuffix(plain, "}")+`, "prevResult": `+prev+`}`, c.edit)
		if c.code != 0 {
			wantError(t, what, got, ok, c.code, c.word)
		} else if !ok || got != "" {
			t.Errorf("%s: %s", what, got)
		}
	}
	w := newWorld(t)
	if got, ok := w.call("ADD", plain, nil); !ok {
		t.Fatal(got)
	}
	got, ok := w.call("CHECK", plain, nil)
	wantError(t, "without prevResult", got, ok, 7, "prevResult")
}

func TestGC_SparesTheValidAndOthers(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{"keep", "drop"} {
		if got, ok := w.call("ADD", plain, func(c *Call) { c.ContainerID = id }); !ok {
			t.Fatal(got)
		}
	}
	// One of another CNI network on the same network of ours.
	if got, ok := w.call("ADD", strings.Replace(plain, "pods", "others", 1), nil); !ok {
		t.Fatal(got)
	}
	list := strings.TrimSuffix(plain, "}") + `, "cni.dev/valid-attachments": [{"containerID": "keep", "ifname": "eth0"}]}`
	if got, ok := w.call("GC", list, nil); !ok || got != "" {
		t.Error(got)
	}
	if _, dropped := w.taken[owner("pods", "drop", "eth0")]; dropped || len(w.taken) != 2 {
		t.Errorf("taken %v", w.taken)
	}
	w.fail["Detach"] = errInjected
	got, ok := w.call("GC", strings.TrimSuffix(plain, "}")+`, "cni.dev/valid-attachments": []}`, nil)
	wantError(t, "GC fails", got, ok, 999, `"keep"`)
}

func TestStatus(t *testing.T) {
	w := newWorld(t)
	if got, ok := w.call("STATUS", plain, nil); !ok || got != "" {
		t.Error(got)
	}
	w.fail["Check"] = fmt.Errorf("pf is off: %w", errdefs.ErrFailedPrecondition)
	got, ok := w.call("STATUS", plain, nil)
	wantError(t, "not ready", got, ok, 50, "pf is off")
}

func TestMain_EnvironmentAndExit(t *testing.T) {
	w := newWorld(t)
	env := map[string]string{"CNI_COMMAND": "ADD", "CNI_CONTAINERID": "c1", "CNI_NETNS": "pod", "CNI_IFNAME": "net0", "CNI_ARGS": "MAC=02:00:00:00:00:09"}
	var out bytes.Buffer
	status := w.Main(t.Context(), func(k string) string { return env[k] }, strings.NewReader(fmt.Sprintf(plain, w.file)), &out)
	r := w.taken[owner("pods", "c1", "net0")]
	if status != 0 || !strings.Contains(out.String(), `"net0"`) || r.MAC.String() != "02:00:00:00:00:09" {
		t.Errorf("%d, %s, %+v", status, &out, r)
	}
	out.Reset()
	if status := w.Main(t.Context(), func(string) string { return "" }, strings.NewReader(""), &out); status != 1 {
		t.Errorf("%d, %s", status, &out)
	}
	wantError(t, "no variables", out.String(), false, 4, "CNI_COMMAND")
	out.Reset()
	if status := w.Main(t.Context(), func(k string) string { return env[k] }, iotest.ErrReader(errInjected), &out); status != 1 {
		t.Errorf("%d, %s", status, &out)
	}
	wantError(t, "no input", out.String(), false, 5, "injected")
}

// Whatever comes on the standard input is answered, never with a panic.
func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"cniVersion": "1.1.0", "name": "pods", "runtimeConfig": {"ips": ["10.88.0.5/16"], "portMappings": [{"hostPort": 1, "containerPort": 1}]}}`), "IP=10.88.0.5")
	f.Add([]byte(`{"name": "x", "args": {"cni": {"mac": "02:00:00:00:00:01"}}}`), "")
	f.Fuzz(func(t *testing.T, stdin []byte, args string) {
		c := &Call{Command: "ADD", ContainerID: "c", NetNS: "j", IfName: "eth0", Args: args, Stdin: stdin}
		n, err := c.parse()
		if err != nil {
			return
		}
		if r, err := c.request(n, "default"); err == nil && port.Check(r.Ports) != nil {
			t.Errorf("%s: ports %v", stdin, r.Ports)
		}
	})
}
