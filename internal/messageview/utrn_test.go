package messageview

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/commshub/commshub/han/utrn"
)

// keysOf writes certificates and keys of a meter, its supplier and the broker into a folder.
func keysOf(t *testing.T, parties ...party) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, p := range parties {
		for name, text := range p {
			if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

func askUTRN(t *testing.T, a AskedUTRN, digits ...string) (u UTRN, wrong string, err error) {
	t.Helper()
	var out bytes.Buffer
	a.JSON = true
	if wrong, err = a.Show(context.Background(), &out, digits); err == nil {
		if err := json.Unmarshal(out.Bytes(), &u); err != nil {
			t.Fatalf("%s: %v", &out, err)
		}
	}
	return u, wrong, err
}

func TestATopUpIsIssuedAndRead(t *testing.T) {
	const supplier = 0x90B3D51F30010000
	keys := keysOf(t, newSigner(t, supplier), newSigner(t, broker), newSigner(t, meter), newSigner(t, meter+1))
	asked := AskedUTRN{Keys: keys, Meter: meter.String(), TopUp: 5000, Pence: 1250}
	issued, wrong, err := askUTRN(t, asked)
	if err != nil || wrong != "" || issued.Pence != 1250 || issued.MAC != Holds || *issued.TopUp != 5000 {
		t.Fatalf("%+v, %s, %v", issued, wrong, err)
	}
	d := issued.Digits
	read := AskedUTRN{Keys: keys, Meter: meter.String(), TopUp: 4990}
	if u, wrong, err := askUTRN(t, read, d[:4], d[4:8]+"-"+d[8:12], d[12:]); err != nil || wrong != "" || u.Supplier != "90B3D51F30010000" || *u.TopUp != 5000 {
		t.Errorf("%+v, %s, %v", u, wrong, err)
	}
	read.TopUp = 100 // too far behind to complete its counter
	if u, wrong, err := askUTRN(t, read, d); err != nil || wrong == "" || u.MAC != DoesNotMatch || u.TopUp != nil {
		t.Errorf("%+v, %s, %v", u, wrong, err)
	}
	read.TopUp, read.Meter = 5000, (meter + 1).String()
	if u, wrong, err := askUTRN(t, read, d); err != nil || wrong == "" || u.MAC != DoesNotMatch {
		t.Errorf("another meter: %+v, %s, %v", u, wrong, err)
	}
	if u, wrong, err := askUTRN(t, AskedUTRN{}, d); err != nil || wrong != "" || u.MAC != NoKey || u.TruncatedCounter != 5000&1023 {
		t.Errorf("without keys: %+v, %s, %v", u, wrong, err)
	}
}

func TestWhatIsMissingForATopUpIsNamed(t *testing.T) {
	keys := keysOf(t, newSigner(t, broker), newSigner(t, meter))
	digits := utrn.Token{Value: 1}.String()
	for want, row := range map[string]struct {
		asked  AskedUTRN
		digits []string
	}{
		"want the digits":      {AskedUTRN{}, nil},
		"or --pence":           {AskedUTRN{Pence: 1}, []string{digits}},
		"want --keys":          {AskedUTRN{Pence: 1, Meter: meter.String()}, nil},
		"--meter":              {AskedUTRN{Keys: keys}, []string{digits}},
		"parse EUI64":          {AskedUTRN{Keys: keys, Meter: "x"}, []string{digits}},
		"folder nowhere":       {AskedUTRN{Keys: "nowhere", Meter: meter.String()}, []string{digits}},
		"top-up 0":             {AskedUTRN{Keys: keys, Meter: meter.String(), Pence: 1}, nil},
		"whole pounds":         {AskedUTRN{Keys: keys, Meter: meter.String(), Pence: 8192, TopUp: 1}, nil},
		"0 suppliers":          {AskedUTRN{Keys: keys, Meter: meter.String(), Pence: 1, TopUp: 1}, nil},
		"4 digits, want 20":    {AskedUTRN{}, []string{"73 95"}},
		"check digit does not": {AskedUTRN{}, []string{digits[:19] + string('0'+(digits[19]-'0'+1)%10)}},
	} {
		if u, _, err := askUTRN(t, row.asked, row.digits...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %+v, %v", want, u, err)
		}
	}
}
