package ota

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"unicode/utf16"
)

// kind is a kind of file that people take for an OTA file.
type kind struct {
	name, advice string
	at           int    // where the bytes that tell it are
	magic        string // those bytes; empty if is tells it
	is           func(file []byte) bool
}

// What to do with each.
const (
	unpack   = "unpack it and take the OTA file in it"
	wrap     = "a device may take it inside an OTA file (commshub image wrap)"
	toBinary = "make a binary of it (objcopy -O binary), and an OTA file of that (commshub image wrap)"
	fetch    = "fetch the file itself"
	fetchRaw = "fetch it again, in binary mode"
	otherNet = "it is for Matter devices, which do not load over Zigbee"
)

// archives are looked for first: one that does not compress has OTA files in plain sight.
var archives = []kind{
	{name: "a zip archive", magic: "PK\x03\x04", advice: unpack},
	{name: "an empty zip archive", magic: "PK\x05\x06", advice: fetch},
	{name: "a part of a zip archive", magic: "PK\x07\x08", advice: unpack},
	{name: "a gzip file", magic: "\x1F\x8B\x08", advice: unpack},
	{name: "a tar archive", at: 257, magic: "ustar", advice: unpack},
	{name: "a tar archive of an old layout", is: isOldTar, advice: unpack},
	{name: "a cpio archive", magic: "07070", advice: unpack},
	{name: "a bzip2 file", magic: "BZh", advice: unpack},
	{name: "an xz file", magic: "\xFD7zXZ\x00", advice: unpack},
	{name: "a zstd file", magic: "\x28\xB5\x2F\xFD", advice: unpack},
	{name: "an lz4 file", magic: "\x04\x22\x4D\x18", advice: unpack},
	{name: "a 7z archive", magic: "7z\xBC\xAF\x27\x1C", advice: unpack},
	{name: "a rar archive", magic: "Rar!\x1A\x07", advice: unpack},
	{name: "a cabinet archive", magic: "MSCF\x00\x00\x00\x00", advice: unpack},
	{name: "an ar archive or Debian package", magic: "!<arch>\n", advice: unpack},
	{name: "a CD image", at: 32769, magic: "CD001", advice: unpack},
	{name: "a squashfs file system", magic: "hsqs", advice: unpack},
}

// foreign are the other kinds, the surest first.
var foreign = []kind{
	{name: "an empty file", is: func(b []byte) bool { return len(b) == 0 }, advice: fetch},
	{name: "a Matter OTA file", magic: "\x1E\xF1\xEE\x1B", advice: otherNet},
	{name: "a Silicon Labs GBL file", magic: "\xEB\x17\xA6\x03", advice: wrap},
	{name: "a Silicon Labs EBL file", magic: "\x00\x00\x00\x8C", advice: wrap},
	{name: "an encrypted Silicon Labs EBL file", magic: "\xFB\x05\x00", advice: wrap},
	{name: "an MCUboot image", magic: "\x3D\xB8\xF3\x96", advice: wrap},
	{name: "an MCUboot image of an old layout", magic: "\x3C\xB8\xF3\x96", advice: wrap},
	{name: "an Espressif application image", at: 32, magic: "\x32\x54\xCD\xAB", advice: wrap},
	{name: "an Espressif application image", is: isEspressif, advice: wrap},
	{name: "a Telink firmware image", at: 8, magic: "KNLT", advice: wrap},
	{name: "a Texas Instruments OAD image", is: isOAD, advice: wrap},
	{name: "a U-Boot image", magic: "\x27\x05\x19\x56", advice: wrap},
	{name: "a UF2 file", magic: "UF2\n", advice: wrap},
	{name: "a DfuSe file", magic: "DfuSe", advice: wrap},
	{name: "an ELF file", magic: "\x7FELF", advice: toBinary},
	{name: "a file packed with compress", magic: "\x1F\x9D", advice: unpack},
	{name: "an lzma file", magic: "\x5D\x00\x00", advice: unpack},
	{name: "a Windows program", magic: "MZ", advice: "if it is an archive that unpacks itself, " + unpack},
	{name: "a Mach-O file", magic: "\xCF\xFA\xED\xFE", advice: fetch},
	{name: "a WebAssembly module", magic: "\x00asm", advice: fetch},
	{name: "a device tree", magic: "\xD0\x0D\xFE\xED", advice: fetch},
	{name: "an SQLite database", magic: "SQLite format 3\x00", advice: fetch},
	{name: "a PDF document", magic: "%PDF-", advice: fetch},
	{name: "a PNG picture", magic: "\x89PNG", advice: fetch},
	{name: "a JPEG picture", magic: "\xFF\xD8\xFF", advice: fetch},
	{name: "a GIF picture", magic: "GIF8", advice: fetch},
	{name: "a Git LFS pointer", is: matches(`^version https://(git-lfs|hawser)\.github\.com/spec/`), advice: "fetch the file that it points to (git lfs pull)"},
	{name: "a git-annex pointer", is: matches(`^(\.\./)*(\.git)?/annex/objects/`), advice: "fetch the file that it points to (git annex get)"},
	{name: "an Intel HEX file", is: matches(`^([;#][^\n]*\n\s*)*:[0-9A-Fa-f]{10,}(\s|$)`), advice: toBinary},
	{name: "a Motorola S-record file", is: matches(`^([;#][^\n]*\n\s*)*S[0-9][0-9A-Fa-f]{8,}(\s|$)`), advice: toBinary},
	{name: "an OTA file written as hex digits", is: matches(`^(?i)(0x)?1e[ :,]*(0x)?f1[ :,]*(0x)?ee[ :,]*(0x)?0b`), advice: "make a binary of it (xxd -r -p)"},
	{name: "an OTA file written as a hex dump", is: matches(`^(?i)[0-9a-f]{6,8}:? +1e ?f1 ?ee ?0b`), advice: "make a binary of it (xxd -r)"},
	{name: "an OTA file written as a C array", is: matches(`(?i)\{\s*0x1e,\s*0xf1,\s*0xee,\s*0x0b`), advice: "make a binary of the numbers in it (xxd -r -p)"},
	{name: "memory written as hex digits with addresses", is: matches(`^@[0-9A-Fa-f]{4,8}\s+([0-9A-Fa-f]{2}\s+){2}`), advice: toBinary},
	{name: "an OTA file in Base64", magic: "HvHuC", advice: "decode it (base64 -d)"},
	{name: "an OTA file with its bytes in another order", magic: "\x0B\xEE\xF1\x1E", advice: fetchRaw},
	{name: "an OTA file changed as if it were text", magic: "\x1E\xEF\xBF\xBD", advice: fetchRaw},
	{name: "an OTA file changed as if it were text", magic: "\x1E\xC3\xB1\xC3\xAE\x0B", advice: fetchRaw},
	{name: "an OTA file changed as if it were text", magic: "\x1Eqn\x0B", advice: fetchRaw},
	{name: "a web page", is: matches(`^(?i)(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)?<(!doctype html|html|head|body|title|meta|script|style|div|h[1-6]|p|pre|center|table)\b`), advice: "what was fetched is an error or a sign-in; " + fetch},
	{name: "an XML document", is: matches(`^<\?xml`), advice: fetch},
	{name: "an answer of a web server with its header", is: matches(`^HTTP/[0-9.]+ [0-9]{3}`), advice: fetch},
	{name: "a form as a browser sends it", is: matches(`^--[^\r\n]+\r?\nContent-Disposition:`), advice: fetch},
	{name: "a PEM file", is: matches(`^-----BEGIN [A-Z ]+-----`), advice: fetch},
	{name: "a JSON document", is: matches(`^[{\[]\s*["{\[\]}0-9-]`), advice: "if it is an index of images, take an image's own address from it; " + fetch},
}

// shapeless are those that makers also put in front of an OTA file.
var shapeless = []kind{
	{name: "all zeros", is: allOf(0x00), advice: fetch},
	{name: "erased flash, all FF", is: allOf(0xFF), advice: fetch},
	{name: "white space alone", is: func(b []byte) bool { return len(bytes.TrimSpace(b)) == 0 }, advice: fetch},
	{name: "a text file", is: isText, advice: fetch},
}

// err says what a file is.
func (k kind) err() error { return fmt.Errorf("no OTA file but %s: %s", k.name, k.advice) }

// matches looks for an expression at a file's start, behind a byte order mark and white
// space.
func matches(expression string) func([]byte) bool {
	re := regexp.MustCompile(`(?s)` + expression)
	return func(file []byte) bool { return re.Match(textStart(file)) }
}

// textStart returns the start of a text, which may be UTF-16 as well.
func textStart(file []byte) []byte {
	const looked = 1024
	for _, order := range []struct {
		mark string
		binary.ByteOrder
	}{{"\xFF\xFE", binary.LittleEndian}, {"\xFE\xFF", binary.BigEndian}} {
		if rest, is := bytes.CutPrefix(file[:min(len(file), 2*looked)], []byte(order.mark)); is {
			units := make([]uint16, len(rest)/2)
			for i := range units {
				units[i] = order.Uint16(rest[2*i:])
			}
			file = []byte(string(utf16.Decode(units)))
		}
	}
	file = bytes.TrimLeft(bytes.TrimPrefix(file, []byte("\xEF\xBB\xBF")), " \t\r\n")
	return file[:min(len(file), looked)]
}

// allOf tells files of one byte's value.
func allOf(value byte) func([]byte) bool {
	return func(file []byte) bool { return len(file) > 0 && bytes.Count(file, []byte{value}) == len(file) }
}

// isEspressif goes by the first bytes of the header: magic, number of segments, and the
// flash's mode, size and speed.
func isEspressif(file []byte) bool {
	return len(file) >= 24 && file[0] == 0xE9 && file[1] >= 1 && file[1] <= 16 && file[2] <= 5
}

// isOAD knows the image identification values of SimpleLink devices.
func isOAD(file []byte) bool {
	return slices.ContainsFunc([]string{"CC26x", "CC13x", "CC23x", "OAD IMG ", "OAD NVM"}, func(s string) bool { return bytes.HasPrefix(file, []byte(s)) })
}

// isOldTar goes by the checksum of a tar header, which has no other mark where it is from
// before POSIX: six octal digits at byte 148, the sum of the header's bytes with blanks
// in their place.
func isOldTar(file []byte) bool {
	const header, at, size = 512, 148, 8
	if len(file) < header || file[0] == 0 {
		return false
	}
	want, err := strconv.ParseUint(string(bytes.Trim(file[at:at+size], " \x00")), 8, 32)
	sum := uint64(size * ' ')
	for i, b := range file[:header] {
		if i < at || i >= at+size {
			sum += uint64(b)
		}
	}
	return err == nil && sum == want
}

// isText tells files without a byte that text has not.
func isText(file []byte) bool {
	return len(file) > 0 && !bytes.ContainsFunc(textStart(file), func(r rune) bool {
		return r == '\uFFFD' || r < ' ' && r != '\t' && r != '\r' && r != '\n' && r != '\f'
	})
}

func kindIn(kinds []kind, file []byte) (kind, bool) {
	for _, k := range kinds {
		if k.magic != "" && len(file) >= k.at && bytes.HasPrefix(file[k.at:], []byte(k.magic)) || k.is != nil && k.is(file) {
			return k, true
		}
	}
	return kind{}, false
}

// strangeStart says what is wrong with bytes in front of an OTA file, if they are the
// start of a file of another kind.
func strangeStart(prefix []byte) string {
	if k, ok := kindIn(foreign, prefix); ok {
		return fmt.Sprintf("the file begins as %s; an OTA file begins at byte %d, and is the one taken", k.name, len(prefix))
	}
	return ""
}

func archiveOf(file []byte) (kind, bool) { return kindIn(archives, file) }

// notFound says what a file is in which no OTA file was found.
func notFound(file []byte) error {
	if at := bytes.Index(file, magicBytes); at >= 0 {
		if i, h, ok := findHeader(file[at:], len(file)); ok {
			return fmt.Errorf("no OTA file in the first %d bytes; one, %s, begins at byte %d: cut it out (tail -c +%d)", wrapperSearch, h.ImageID, at+i, at+i+1)
		}
	}
	if bytes.HasPrefix(file, ngisBytes) {
		offset, _, err := ngisImage(file)
		if err != nil {
			return fmt.Errorf("no OTA file: %w (truncated?)", err)
		}
		return fmt.Errorf("no OTA file: the NGIS container says that one begins at byte %d of %d, and there is none: it is cut off or damaged, fetch it again", offset, len(file))
	}
	if k, ok := kindIn(slices.Concat(foreign, shapeless), file); ok {
		return k.err()
	}
	if at := bytes.Index(file, magicBytes); at >= 0 {
		_, err := ParseImageHeader(file[at:])
		return fmt.Errorf("no OTA file: an upgrade file identifier is at byte %d, but no header: %w", at, err)
	}
	if n := len(file); n > 0 && n < len(magicBytes) && bytes.HasPrefix(magicBytes, file) {
		return fmt.Errorf("no OTA file: the file ends after %s, the header has at least %d (truncated?)", count(n), HeaderSizeMin)
	}
	return fmt.Errorf("no OTA file: upgrade file identifier %08X (bytes % X) is nowhere in %d bytes, which begin % X; firmware as it is goes into an OTA file with commshub image wrap",
		magic, magicBytes, len(file), file[:min(len(file), 8)])
}
