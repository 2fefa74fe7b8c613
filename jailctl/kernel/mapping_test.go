package kernel

import (
	"errors"
	"slices"
	"testing"

	"jailshim/internal/captured"
)

// entry is a struct kinfo_vmentry.
func entry(kind, protection uint32, start, end, file uint64, path string) []byte {
	b := make([]byte, (offKvePath+len(path)+1+7)/8*8)
	le.PutUint32(b[offKveStructSize:], uint32(len(b)))
	le.PutUint32(b[offKveType:], kind)
	le.PutUint64(b[offKveStart:], start)
	le.PutUint64(b[offKveEnd:], end)
	le.PutUint64(b[offKveOffset:], 0x1000)
	le.PutUint64(b[offKveFileID:], file)
	le.PutUint64(b[offKveFSID:], 5)
	le.PutUint32(b[offKveResident:], 3)
	le.PutUint32(b[offKveProtection:], protection)
	copy(b[offKvePath:], path)
	return b
}

func TestDecodeMappings(t *testing.T) {
	b := slices.Concat(entry(kveTypeVnode, kveProtRead|kveProtExec, 0x400000, 0x500000, 7, "/bin/x"), entry(1, 3, 1, 2, 0, ""),
		entry(kveTypeVnode, kveProtRead|kveProtWrite, 0x600000, 0x601000, 8, ""))
	want := []Mapping{
		{Start: 0x400000, End: 0x500000, Offset: 0x1000, FSID: 5, FileID: 7, Resident: 3, Read: true, Exec: true, Path: "/bin/x"},
		{Start: 0x600000, End: 0x601000, Offset: 0x1000, FSID: 5, FileID: 8, Resident: 3, Read: true, Write: true},
	}
	if got, err := DecodeMappings(b); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for _, bad := range [][]byte{b[:len(b)-1], b[:20], make([]byte, 200)} {
		if got, err := DecodeMappings(bad); !errors.Is(err, ErrLayout) {
			t.Errorf("%d bytes: got %+v, %v, want ErrLayout", len(bad), got, err)
		}
	}
}

func TestDecodeMappings_Captured(t *testing.T) {
	got, err := DecodeMappings(captured.Bytes(t, vectorMappings))
	if err != nil {
		t.Fatal(err)
	}
	const path = "/root/program"
	if len(got) != 3 || got[0].FileID == 0 || got[0].FSID == 0 {
		t.Fatalf("got %+v", got)
	}
	file := Mapping{FSID: got[0].FSID, FileID: got[0].FileID, Read: true, Path: path}
	text, constants, data := file, file, file
	text.Start, text.End, text.Exec, text.Resident = 0x400000, 0x4a6000, true, 166
	constants.Start, constants.End, constants.Offset, constants.Resident = 0x4a6000, 0x582000, 0xa6000, 220
	data.Start, data.End, data.Offset, data.Resident, data.Write = 0x582000, 0x58c000, 0x182000, 10, true
	if want := []Mapping{text, constants, data}; !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestProgramOf(t *testing.T) {
	text := Mapping{Start: 100, End: 200, FileID: 7, Read: true, Exec: true}
	constants := Mapping{Start: 200, End: 300, FileID: 7, Read: true}
	data := Mapping{Start: 300, End: 400, FileID: 7, Read: true, Write: true}
	library := Mapping{Start: 500, End: 600, FileID: 8, Read: true, Exec: true}
	all := []Mapping{text, constants, data, library}
	if got := programOf(all, 250); !slices.Equal(got, []Mapping{text, constants}) {
		t.Errorf("got %+v", got)
	}
	// Without its data nothing would keep the file from being changed.
	if got := programOf([]Mapping{text, constants, library}, 250); got != nil {
		t.Errorf("without data: got %+v", got)
	}
	if got := programOf(all, 450); got != nil {
		t.Errorf("of no file: got %+v", got)
	}
}
