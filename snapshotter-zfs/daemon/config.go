package daemon

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/pelletier/go-toml/v2"

	zfs "jailshim/snapshotter-zfs"
)

// Config is the configuration file. Flags of the same names, with "-" for "_", come
// before it.
type Config struct {
	Dataset    string   `toml:"dataset"`    // the root: a marked dataset
	State      string   `toml:"state"`      // folder of the database and private mounts
	Socket     string   `toml:"socket"`     // for containerd
	Admin      string   `toml:"admin"`      // socket for commands
	Metrics    string   `toml:"metrics"`    // address for Prometheus: host:port or the path of a socket; "" is none
	Engine     string   `toml:"engine"`     // auto, ioctl or command
	Properties []string `toml:"properties"` // what labels may set
	CacheSize  int64    `toml:"cache_size"` // bytes of layers to keep that containerd removed
	CacheAge   Duration `toml:"cache_age"`  // how long to keep them
	LogLevel   string   `toml:"log_level"`  // debug, info, warn or error
	LogFormat  string   `toml:"log_format"` // text or json
}

// Duration is written as "24h" in the file.
type Duration time.Duration

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

// The engines that can be asked for.
const (
	EngineAuto    = "auto"
	EngineIoctl   = "ioctl"
	EngineCommand = "command"
)

// DefaultConfigFile is read if it is there and no other one is named.
const DefaultConfigFile = "/usr/local/etc/containerd-openzfs.toml"

// DefaultConfig is what holds without a file and flags.
func DefaultConfig() Config {
	return Config{
		State:      "/var/db/containerd-openzfs",
		Socket:     "/var/run/containerd-openzfs.sock",
		Admin:      "/var/run/containerd-openzfs-admin.sock",
		Engine:     EngineAuto,
		Properties: zfs.DefaultProperties,
		CacheSize:  1 << 30,
		CacheAge:   Duration(7 * 24 * time.Hour),
		LogLevel:   "info",
		LogFormat:  "text",
	}
}

// load reads a file over c. A key that is not known is an error: it would be a setting
// that is silently not made.
func (c *Config) load(path string, mustExist bool) error {
	f, err := os.Open(path)
	if err != nil {
		if !mustExist && errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return fmt.Errorf("configuration: %w", err)
	}
	defer f.Close()
	err = toml.NewDecoder(f).DisallowUnknownFields().Decode(c)
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) {
		return fmt.Errorf("configuration %q: unknown settings:\n%s: %w", path, strict.String(), errdefs.ErrInvalidArgument)
	}
	if err != nil {
		return fmt.Errorf("configuration %q: %w", path, err)
	}
	return nil
}

// parse reads flags and the file, and returns the arguments that are left, and whether
// only to check.
func (c *Config) parse(args []string, stderr io.Writer) (rest []string, check bool, err error) {
	flags := c.flags(stderr)
	file := flags.String("config", "", "configuration `file` (default "+DefaultConfigFile+", if it is there)")
	checkOnly := flags.Bool("check", false, "check configuration and dataset, and exit")
	if err := flags.Parse(args); err != nil {
		return nil, false, err
	}
	path := *file
	if path == "" {
		path = DefaultConfigFile
	}
	if err := c.load(path, *file != ""); err != nil {
		return nil, false, err
	}
	// Once more: flags come before the file.
	again := c.flags(io.Discard)
	again.String("config", "", "")
	again.Bool("check", false, "")
	if err := again.Parse(args); err != nil {
		return nil, false, err
	}
	return again.Args(), *checkOnly, c.validate()
}

func (c *Config) flags(stderr io.Writer) *flag.FlagSet {
	f := flag.NewFlagSet("containerd-openzfs-grpc", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() {
		fmt.Fprint(stderr, usage) //nolint:errcheck // there is nobody left to tell
		f.PrintDefaults()
	}
	f.StringVar(&c.Dataset, "dataset", c.Dataset, "root `dataset`, which has the mark")
	f.StringVar(&c.State, "state", c.State, "`folder` of the database and private mounts")
	f.StringVar(&c.Socket, "socket", c.Socket, "`path` of the socket for containerd")
	f.StringVar(&c.Admin, "admin", c.Admin, "`path` of the socket for commands")
	f.StringVar(&c.Metrics, "metrics", c.Metrics, "`address` for Prometheus: host:port or the path of a socket")
	f.StringVar(&c.Engine, "engine", c.Engine, "how to talk to ZFS: auto, ioctl or command")
	f.Func("properties", "comma-separated `list` of properties that labels may set", func(s string) error {
		c.Properties = strings.FieldsFunc(s, func(r rune) bool { return r == ',' })
		return nil
	})
	f.Int64Var(&c.CacheSize, "cache-size", c.CacheSize, "`bytes` of layers to keep that containerd removed")
	f.DurationVar((*time.Duration)(&c.CacheAge), "cache-age", time.Duration(c.CacheAge), "how long to keep them; 0 is for ever")
	f.StringVar(&c.LogLevel, "log-level", c.LogLevel, "debug, info, warn or error")
	f.StringVar(&c.LogFormat, "log-format", c.LogFormat, "text or json")
	return f
}

func (c *Config) validate() error {
	bad := func(what, format string, args ...any) error {
		return fmt.Errorf("configuration: %s: %s: %w", what, fmt.Sprintf(format, args...), errdefs.ErrInvalidArgument)
	}
	if c.Dataset == "" {
		return bad("dataset", "it must be set, for example to %q", "zroot/containerd")
	}
	for what, path := range map[string]string{"state": c.State, "socket": c.Socket, "admin": c.Admin} {
		if !filepath.IsAbs(path) {
			return bad(what, "%q is not an absolute path", path)
		}
	}
	switch c.Engine {
	case EngineAuto, EngineIoctl, EngineCommand:
	default:
		return bad("engine", "%q is none of auto, ioctl, command", c.Engine)
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		return bad("log_format", "%q is neither text nor json", c.LogFormat)
	}
	if _, err := c.level(); err != nil {
		return bad("log_level", "%q is none of debug, info, warn, error", c.LogLevel)
	}
	if err := zfs.CheckProperties(c.Properties); err != nil {
		return fmt.Errorf("configuration: properties: %w", err)
	}
	return nil
}

func (c *Config) level() (slog.Level, error) {
	var l slog.Level
	err := l.UnmarshalText([]byte(c.LogLevel))
	return l, err
}

// logger makes the log that the configuration asks for.
func (c *Config) logger(w io.Writer) (*slog.Logger, error) {
	level, err := c.level()
	if err != nil {
		return nil, err
	}
	options := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return slog.New(slog.NewTextHandler(w, options)), nil
}
