package kernel

import (
	"os"
	"path/filepath"
	"testing"
)

func TestJail_Object(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{(&Jail{ID: 5, Name: "web"}).object(), `jail "web"`},
		{JailFromFile(nil, 5).object(), "jail 5"},
		{newJailObject([]Param{Bool("persist", true), String("name", "web")}), `jail "web"`},
		{newJailObject(nil), "new jail"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestJail_FileAndClose(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	j := JailFromFile(f, 5)
	if j.File() != f || j.ID != 5 {
		t.Errorf("got %+v", j)
	}
	for range 2 {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := f.Stat(); err == nil {
		t.Error("the file is open after Close")
	}
	none := JailFromFile(nil, 5)
	if none.File() != nil || none.Close() != nil {
		t.Errorf("without a file: %v, %v", none.File(), none.Close())
	}
}

func TestJailState_String(t *testing.T) {
	for s, want := range map[JailState]string{JailGone: "gone", JailDying: "dying", JailAlive: "alive", 9: "state 9"} {
		if got := s.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
