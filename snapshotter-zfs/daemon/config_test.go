package daemon

import (
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
)

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConfig_FlagsComeBeforeTheFile(t *testing.T) {
	path := file(t, `
dataset = "zroot/a"
engine = "command"
properties = ["atime"]
cache_size = 5
cache_age = "90m"
log_format = "json"
`)
	c := DefaultConfig()
	rest, check, err := c.parse([]string{"-config", path, "-dataset", "zroot/b", "-check", "-cache-size=7", "status", "-x"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	want := DefaultConfig()
	want.Dataset, want.Engine, want.Properties, want.CacheSize = "zroot/b", EngineCommand, []string{"atime"}, 7
	want.CacheAge, want.LogFormat = Duration(90*time.Minute), "json"
	if !reflect.DeepEqual(c, want) || !check || !reflect.DeepEqual(rest, []string{"status", "-x"}) {
		t.Errorf("got  %+v, %v, %q\nwant %+v", c, check, rest, want)
	}
	c = DefaultConfig()
	if _, _, err := c.parse([]string{"-config", path, "-properties", "atime,quota"}, io.Discard); err != nil || !reflect.DeepEqual(c.Properties, []string{"atime", "quota"}) {
		t.Errorf("%v, properties %q", err, c.Properties)
	}
}

func TestConfig_Wrong_IsRefusedByName(t *testing.T) {
	for _, c := range []struct {
		file string
		args []string
		want string
	}{
		{"", nil, "dataset"},
		{`dataset = "p/a"` + "\n" + `datset = "p/b"`, nil, "datset"},
		{`dataset = 1`, nil, "Dataset"},
		{`dataset = "p/a"` + "\n" + `state = "here"`, nil, "state"},
		{`dataset = "p/a"` + "\n" + `socket = "x.sock"`, nil, "socket"},
		{`dataset = "p/a"` + "\n" + `admin = ""`, nil, "admin"},
		{`dataset = "p/a"` + "\n" + `engine = "magic"`, nil, "magic"},
		{`dataset = "p/a"` + "\n" + `log_level = "loud"`, nil, "loud"},
		{`dataset = "p/a"` + "\n" + `log_format = "xml"`, nil, "xml"},
		{`dataset = "p/a"` + "\n" + `properties = ["mountpoint"]`, nil, "mountpoint"},
		{`dataset = "p/a"` + "\n" + `cache_age = "soon"`, nil, "soon"},
		{`dataset = "p/a"`, []string{"-no-such-flag"}, "no-such-flag"},
	} {
		config := DefaultConfig()
		_, _, err := config.parse(append([]string{"-config", file(t, c.file)}, c.args...), io.Discard)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q %q: %v, want %q", c.file, c.args, err, c.want)
		}
	}
	config := DefaultConfig()
	if _, _, err := config.parse([]string{"-config", "/no/such/file"}, io.Discard); err == nil || !strings.Contains(err.Error(), "/no/such/file") {
		t.Errorf("a file that is named and missing: %v", err)
	}
	config = DefaultConfig()
	config.Dataset, config.Engine = "p/a", "x"
	if err := config.validate(); !errdefs.IsInvalidArgument(err) {
		t.Errorf("%v, want InvalidArgument", err)
	}
}
