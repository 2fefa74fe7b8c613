package cli

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/containerd/errdefs"
)

// journal is where the command's log and its error go.
type journal struct {
	stderr io.Writer
	file   *os.File // --log; nil: stderr
	json   bool
	logger *slog.Logger // nil until the flags are read
}

// open opens the log.
func (j *journal) open(path, format string, debug bool) (*slog.Logger, error) {
	switch format {
	case "", "text":
	case "json":
		j.json = true
	default:
		return nil, fmt.Errorf("invalid log-format %q: it is text or json", format)
	}
	out := j.stderr
	if path != "" {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
		if err != nil {
			return nil, fmt.Errorf("log: %w", err)
		}
		j.file, out = f, f
	}
	options := &slog.HandlerOptions{Level: slog.LevelInfo, ReplaceAttr: asRunc}
	if debug {
		options.Level = slog.LevelDebug
	}
	var h slog.Handler = slog.NewTextHandler(out, options)
	if j.json {
		h = slog.NewJSONHandler(out, options)
	}
	j.logger = slog.New(h)
	return j.logger, nil
}

// asRunc spells levels as runc does, whose logs clients know how to read.
func asRunc(_ []string, a slog.Attr) slog.Attr {
	level, ok := a.Value.Any().(slog.Level)
	switch {
	case a.Key != slog.LevelKey || !ok:
		return a
	case level == slog.LevelWarn:
		return slog.String(a.Key, "warning")
	}
	return slog.String(a.Key, strings.ToLower(level.String()))
}

// classKey is the log's key for the class of an error, as errdefs spells it.
const classKey = "class"

// fail tells of the error that ends the command: podman shows one line, and
// go-runc's users the last of level error.
func (j *journal) fail(err error) {
	text := strings.ReplaceAll(err.Error(), "\n", "; ")
	if j.logger != nil && (j.file != nil || j.json) {
		var class []any
		if c := errdefs.Resolve(err); !errors.Is(c, errdefs.ErrUnknown) {
			class = []any{classKey, c.Error()}
		}
		j.logger.Error(text, class...)
		if j.file == nil {
			return
		}
	}
	fmt.Fprintf(j.stderr, "%s: %s\n", name, strings.TrimPrefix(text, name+": "))
}

func (j *journal) close() {
	if j.file != nil {
		j.file.Close()
	}
}
