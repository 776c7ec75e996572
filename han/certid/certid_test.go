package certid

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/codectest"
)

const gasMeter han.EUI64 = 0x00DB1234567890A1

// goldenExtension is the extension value for the gas meter, annotated.
const goldenExtension = `
	30 1F                                    # subjectAltName
	  A0 1D                                  # otherName
	    06 08 2B 06 01 05 05 07 08 04        # id-on-hardwareModuleName
	    A0 11
	      30 0F                              # HardwareModuleName
	        06 03 88 37 01                   # hwType 2.999.1
	        04 08 00 DB 12 34 56 78 90 A1    # hwSerialNum
`

// publishedExtension is the value in the published test certificate of the same device.
const publishedExtension = `
	30 29
	  A0 27
	    06 08 2B 06 01 05 05 07 08 04
	    A0 1B
	      30 19
	        06 0D 2A 86 3A 00 01 84 8F B9 0F 01 02 02 01   # hwType 1.2.826.0.1...
	        04 08 00 DB 12 34 56 78 90 A1
`

func appendExtension(id han.EUI64, b []byte) []byte {
	extension, err := Extension(id)
	if err != nil {
		panic(err)
	}
	return append(b, extension.Value...)
}

func TestExtensionMatchesItsGolden(t *testing.T) {
	der := codectest.Hex(t, goldenExtension)
	codectest.RoundTrip(t, der, gasMeter, appendExtension, parse)
	codectest.RefusesPrefixes(t, der, parse)
}

func TestPublishedExtensionIsRead(t *testing.T) {
	der := codectest.Hex(t, publishedExtension)
	if got, err := parse(der); err != nil || got != gasMeter {
		t.Errorf("parse = %v, %v; want %v", got, err, gasMeter)
	}
	codectest.RefusesPrefixes(t, der, parse)
}

func TestPublishedDeviceCertificatesNameTheirDevice(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(codectest.Vectors(t), "rtds", "00db*-*.pem"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no published device certificates: %v", err)
	}
	for _, file := range files {
		name, _, _ := strings.Cut(filepath.Base(file), "-")
		want, err := han.ParseEUI64(name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := FromCertificate(readCertificate(t, file)); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", filepath.Base(file), got, err, want)
		}
	}
}

func TestCertificateWithoutSubjectAltNameIsRefused(t *testing.T) {
	if _, err := FromCertificate(&x509.Certificate{}); err == nil {
		t.Error("a certificate that names no device was taken")
	}
}

func TestRefusals(t *testing.T) {
	one := codectest.Hex(t, goldenExtension)[2:]
	tests := []struct {
		name, want string
		der        []byte
	}{
		{"no names at all", "found 0", codectest.Hex(t, "30 00")},
		{"only a DNS name", "found 0", codectest.Hex(t, "30 03 82 01 61")},
		{"another kind of otherName", "found 0", codectest.Hex(t, "30 0A A0 08 06 02 2A 03 A0 02 05 00")},
		{"two devices", "found 2", sequence(t, one, one)},
		{"a serial number of seven bytes", "has 7 bytes", codectest.Hex(t, `
			30 1E A0 1C 06 08 2B 06 01 05 05 07 08 04 A0 10 30 0E 06 03 88 37 01 04 07 DB 12 34 56 78 90 A1`)},
		{"something after the serial number", "not in DER", codectest.Hex(t, `
			30 21 A0 1F 06 08 2B 06 01 05 05 07 08 04 A0 13 30 11 06 03 88 37 01 04 08 00 DB 12 34 56 78 90 A1 05 00`)},
		{"bytes after the names", "not one sequence", append(codectest.Hex(t, goldenExtension), 0x05, 0x00)},
		{"a set in place of the sequence", "not one sequence", codectest.Hex(t, "31 00")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parse(tt.der)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestOtherNamesBesideTheDeviceAreIgnored(t *testing.T) {
	dns := codectest.Hex(t, "82 01 61")
	der := sequence(t, dns, codectest.Hex(t, goldenExtension)[2:])
	if got, err := parse(der); err != nil || got != gasMeter {
		t.Errorf("parse = %v, %v; want %v", got, err, gasMeter)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(codectest.Hex(f, goldenExtension))
	f.Add(codectest.Hex(f, publishedExtension))
	f.Add(codectest.Hex(f, "30 03 82 01 61"))
	f.Fuzz(func(t *testing.T, der []byte) {
		id, err := parse(der)
		if err != nil {
			return
		}
		again, err := parse(appendExtension(id, nil))
		if diff := cmp.Diff(id, again); err != nil || diff != "" {
			t.Errorf("round trip: %v\n%s", err, diff)
		}
	})
}

// sequence returns the SEQUENCE of the given elements.
func sequence(tb testing.TB, elements ...[]byte) []byte {
	tb.Helper()
	var raw []asn1.RawValue
	for _, e := range elements {
		raw = append(raw, asn1.RawValue{FullBytes: e})
	}
	der, err := asn1.Marshal(raw)
	if err != nil {
		tb.Fatal(err)
	}
	return der
}

func readCertificate(tb testing.TB, file string) *x509.Certificate {
	tb.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		tb.Fatalf("%s holds no PEM block", filepath.Base(file))
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		tb.Fatal(err)
	}
	return cert
}
