package ota

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// namedFile is a file that is no OTA file, with what it is.
type namedFile struct {
	name string
	give []byte
	want string
}

// textFiles are those written as text.
var textFiles = []namedFile{
	{"white space", []byte(" \r\n\n"), "white space alone"},
	{"web page in UTF-16", []byte("\xFF\xFE<\x00!\x00D\x00O\x00C\x00T\x00Y\x00P\x00E\x00 \x00h\x00t\x00m\x00l\x00>\x00"), "a web page"},
	{"JSON in UTF-16, other order", []byte("\xFE\xFF\x00{\x00\"\x00a\x00\""), "a JSON document"},
	{"piece of a web page", []byte(`<div class="error">Not found</div>`), "a web page"},
	{"XHTML", []byte(`<?xml version="1.0"?>` + "\n" + `<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN">`), "a web page"},
	{"XML", []byte(`<?xml version="1.0"?><firmware/>`), "an XML document"},
	{"JSON of numbers", []byte("[1, 2]"), "a JSON document"},
	{"LFS pointer from an editor", []byte("\xEF\xBB\xBFversion https://git-lfs.github.com/spec/v1\r\noid"), "a Git LFS pointer"},
	{"LFS pointer of its first days", []byte("version https://hawser.github.com/spec/v1\noid"), "a Git LFS pointer"},
	{"git-annex link", []byte("../.git/annex/objects/xx/yy/SHA256E-s1--aa.ota"), "a git-annex pointer"},
	{"Intel HEX behind a remark, without a line's end", []byte("; built\n:00000001FF"), "an Intel HEX file"},
	{"memory with addresses", []byte("@00000000\n1E F1 EE 0B\n"), "memory written as hex digits"},
	{"hex dump", []byte("00000000: 1ef1 ee0b 0001 3800  ......8.\n"), "an OTA file written as a hex dump: make a binary of it (xxd -r)"},
	{"hex digits with commas", []byte("0x1e, 0xf1, 0xee, 0x0b, 0x00"), "an OTA file written as hex digits"},
	{"C array", []byte("const uint8_t image[] = {\n  0x1E, 0xF1, 0xEE, 0x0B,"), "an OTA file written as a C array"},
}

// oldTar returns a tar archive as it was before POSIX: without a mark.
func oldTar(archive []byte) []byte {
	const at, mark = 148, 257
	archive = bytes.Clone(archive)
	clear(archive[mark : mark+8])
	copy(archive[at:], "        ")
	sum := 0
	for _, b := range archive[:512] {
		sum += int(b)
	}
	copy(archive[at:], fmt.Sprintf("%06o\x00 ", sum))
	return archive
}

func TestOtherFilesAreNamed(t *testing.T) {
	file := coded(firmware(2000))
	var zipped, tarred, gzipped bytes.Buffer
	z := zip.NewWriter(&zipped)
	inner, err := z.CreateHeader(&zip.FileHeader{Name: "meter.ota", Method: zip.Store}) // in plain sight
	must(t, err)
	must(t, second(inner.Write(file)))
	must(t, z.Close())
	tw := tar.NewWriter(&tarred)
	must(t, tw.WriteHeader(&tar.Header{Name: "meter.ota", Size: int64(len(file)), Mode: 0o644}))
	must(t, second(tw.Write(file)))
	must(t, tw.Close())
	gz := gzip.NewWriter(&gzipped)
	must(t, second(gz.Write(file)))
	must(t, gz.Close())
	latin := make([]rune, len(file))
	for i, b := range file {
		latin[i] = rune(b)
	}
	at := func(offset int, magic string) []byte {
		return slices.Concat(make([]byte, offset), []byte(magic), firmware(300))
	}
	tests := append(textFiles, []namedFile{
		{"zip", zipped.Bytes(), "a zip archive: unpack it"},
		{"tar", tarred.Bytes(), "a tar archive: unpack it"},
		{"gzip", gzipped.Bytes(), "a gzip file: unpack it"},
		{"nothing", nil, "an empty file: fetch"},
		{"web page", []byte("\r\n<!DOCTYPE html>\n<html><head><title>Sign in</title>"), "a web page: what was fetched is an error or a sign-in"},
		{"web page after a comment", []byte("\xEF\xBB\xBF<!-- cached -->\n<HTML lang=en>"), "a web page"},
		{"LFS pointer", []byte("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"), "a Git LFS pointer: fetch the file that it points to (git lfs pull)"},
		{"Matter", at(0, "\x1E\xF1\xEE\x1B"), "a Matter OTA file: it is for Matter devices"},
		{"GBL", at(0, "\xEB\x17\xA6\x03"), "a Silicon Labs GBL file: a device may take it inside an OTA file (commshub image wrap)"},
		{"ESP", append([]byte{0xE9, 4, 2, 0x20}, firmware(300)...), "an Espressif application image"},
		{"ESP by its description", at(32, "\x32\x54\xCD\xAB"), "an Espressif application image"},
		{"MCUboot", at(0, "\x3D\xB8\xF3\x96"), "an MCUboot image"},
		{"Intel HEX", []byte(":020000040800F2\r\n:10000000004000208100000883000008"), "an Intel HEX file: make a binary of it"},
		{"S-records", []byte("S00F000068656C6C6F202020202000003C\n"), "a Motorola S-record file"},
		{"hex digits", []byte(hex.EncodeToString(file)), "an OTA file written as hex digits"},
		{"hex digits with spaces", []byte("1E F1 EE 0B 00 01"), "an OTA file written as hex digits"},
		{"Base64", []byte(base64.StdEncoding.EncodeToString(file)), "an OTA file in Base64: decode it"},
		{"as UTF-8", []byte(string(latin)), "an OTA file changed as if it were text: fetch it again, in binary mode"},
		{"through UTF-8", bytes.ToValidUTF8(file, []byte(string(utf8.RuneError))), "an OTA file changed as if it were text"},
		{"other order of bytes", at(0, "\x0B\xEE\xF1\x1E"), "an OTA file with its bytes in another order"},
		{"JSON", []byte(`[{"url": "https://example.org/a.ota", "fileVersion": 1}]`), "a JSON document: if it is an index of images"},
		{"text", []byte("404 page not found\n"), "a text file"},
		{"zeros", make([]byte, 5000), "all zeros"},
		{"tar from before POSIX", oldTar(tarred.Bytes()), "a tar archive of an old layout: unpack it"},
		{"cpio", append([]byte("070701"+strings.Repeat("0", 104)+"meter.ota\x00"), file...), "a cpio archive: unpack it"},
		{"part of a zip", append([]byte("PK\x07\x08"), zipped.Bytes()...), "a part of a zip archive"},
		{"erased flash", bytes.Repeat([]byte{0xFF}, 5000), "erased flash"},
	}...)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Open(tt.give); err == nil || !strings.HasPrefix(err.Error(), "no OTA file but "+tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	for _, k := range slices.Concat(archives, foreign, shapeless) {
		if k.magic == "" {
			continue
		}
		if found, ok := kindIn(slices.Concat(archives, foreign), at(k.at, k.magic)); !ok || found.name != k.name {
			t.Errorf("bytes of %s are taken for %s", k.name, found.name)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func second(_ int, err error) error { return err }
