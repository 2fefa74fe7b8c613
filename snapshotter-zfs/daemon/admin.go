package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"syscall"

	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errhttp"

	zfs "jailshim/snapshotter-zfs"
)

// importRequest is the body of POST /import.
type importRequest struct {
	Snapshot string `json:"snapshot"`
	Name     string `json:"name"`
	ChainID  string `json:"chainID"`
}

// newAdminMux serves commands. Errors are text, with the status of their class.
func newAdminMux(a admin) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", answer(func(r *http.Request) (any, error) { return a.Status(r.Context()) }))
	mux.HandleFunc("GET /du", answer(func(r *http.Request) (any, error) { return a.Entries(r.Context()) }))
	mux.HandleFunc("POST /fsck", answer(func(r *http.Request) (any, error) {
		return a.Check(r.Context(), r.URL.Query().Get("repair") == "1")
	}))
	mux.HandleFunc("POST /import", answer(func(r *http.Request) (any, error) {
		var req importRequest
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
			return nil, fmt.Errorf("request: %w: %w", errdefs.ErrInvalidArgument, err)
		}
		return struct{}{}, a.Import(r.Context(), req.Snapshot, req.Name, req.ChainID)
	}))
	return mux
}

func answer(f func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := f(r)
		if err != nil {
			http.Error(w, err.Error(), errhttp.ToHTTP(err))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		// The client has gone if that fails.
		_ = json.NewEncoder(w).Encode(v)
	}
}

// openAdmin returns the daemon if one runs, else the snapshotter itself.
func openAdmin(ctx context.Context, c Config, log *slog.Logger) (admin, func() error, error) {
	client := newAdminClient(c.Admin)
	_, err := client.Status(ctx)
	if err == nil {
		return client, func() error { return nil }, nil
	}
	if !errors.Is(err, syscall.ENOENT) && !errors.Is(err, syscall.ECONNREFUSED) {
		return nil, nil, fmt.Errorf("ask the daemon: %w", err)
	}
	sn, err := newSnapshotter(ctx, c, newMetrics(), log)
	if err != nil {
		return nil, nil, err
	}
	return sn, sn.Close, nil
}

var (
	_ admin = (*adminClient)(nil)
	_ admin = (*zfs.Snapshotter)(nil)
)

// adminClient asks a daemon.
type adminClient struct {
	http http.Client
}

func newAdminClient(socket string) *adminClient {
	return &adminClient{http: http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}}
}

// maxAnswer is the longest answer that is read.
const maxAnswer = 64 << 20

func (c *adminClient) call(ctx context.Context, method, path string, query url.Values, body, answer any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	u := url.URL{Scheme: "http", Host: "daemon", Path: path, RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(b))
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %w", bytes.TrimSpace(b), errhttp.ToNative(resp.StatusCode))
	}
	return json.Unmarshal(b, answer)
}

func (c *adminClient) Status(ctx context.Context) (st zfs.Status, err error) {
	return st, c.call(ctx, http.MethodGet, "/status", nil, nil, &st)
}

func (c *adminClient) Entries(ctx context.Context) (entries []zfs.Entry, err error) {
	return entries, c.call(ctx, http.MethodGet, "/du", nil, nil, &entries)
}

func (c *adminClient) Check(ctx context.Context, repair bool) (*zfs.Report, error) {
	query := url.Values{}
	if repair {
		query.Set("repair", "1")
	}
	r := new(zfs.Report)
	return r, c.call(ctx, http.MethodPost, "/fsck", query, nil, r)
}

func (c *adminClient) Import(ctx context.Context, snapshot, name, chainID string) error {
	return c.call(ctx, http.MethodPost, "/import", nil, importRequest{snapshot, name, chainID}, &struct{}{})
}
