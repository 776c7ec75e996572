package messageview

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/certid"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/tree"
	"github.com/commshub/commshub/internal/codectest"
)

const (
	broker han.EUI64 = 0x90B3D51F30000002
	meter  han.EUI64 = 0x00DB1234567890A1
)

// party are the certificates and keys of somebody, in PEM, by file name.
type party map[string][]byte

// newSigner returns a party with keys for signing and for key agreement. Devices are those
// that do not begin with 90B3.
func newSigner(t *testing.T, id han.EUI64) party {
	t.Helper()
	files := party{}
	for use, usage := range map[string]x509.KeyUsage{"-ds": x509.KeyUsageDigitalSignature, "-ka": x509.KeyUsageKeyAgreement} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(1), KeyUsage: usage, NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1, 0)}
		if id>>48 == 0x90B3 {
			template.Subject = pkix.Name{OrganizationalUnit: []string{map[bool]string{true: "04", false: "02"}[id == broker]},
				ExtraNames: []pkix.AttributeTypeAndValue{{
					Type: asn1.ObjectIdentifier{2, 5, 4, 45}, Value: asn1.BitString{Bytes: id.AppendPrint(nil), BitLength: 64}}}}
		} else {
			extension, err := certid.Extension(id)
			if err != nil {
				t.Fatal(err)
			}
			template.ExtraExtensions = []pkix.Extension{extension}
		}
		cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		private, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		files[id.String()+use+".pem"] = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
		files[id.String()+use+".key"] = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	}
	return files
}

// folderOf writes files into a folder, without those whose name contains one of the words.
func folderOf(t *testing.T, parties []party, without ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "keys")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, files := range parties {
		for name, b := range files {
			if slices.ContainsFunc(without, func(word string) bool { return strings.Contains(name, word) }) {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

func keysIn(t *testing.T, dir string) *Certificates {
	t.Helper()
	certs, err := ReadCertificates(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return certs
}

// messagesOfAllCores returns a command and a response in each encoding, not signed yet.
func messagesOfAllCores() map[string]gbcs.Message {
	command := func(code gbcs.MessageCode, p gbcs.Payload) gbcs.Message {
		return gbcs.Message{CRA: gbcs.Command, OriginatorCounter: 7, Originator: supplier, Recipient: meter, Code: code, Payload: p.Append(nil)}
	}
	response := func(code gbcs.MessageCode, p gbcs.Payload) gbcs.Message {
		m := command(code, p)
		m.CRA, m.Originator, m.Recipient = gbcs.Response, m.Recipient, m.Originator
		return m
	}
	bare := command(gbcs.CodeActivateFirmware, gbcs.ActivateFirmwareCommand{OriginatorCounter: 7})
	bare.PreCommand = true
	return map[string]gbcs.Message{
		"DER pre-command": bare,
		"DER command":     command(gbcs.CodeActivateFirmware, gbcs.ActivateFirmwareCommand{OriginatorCounter: 7}),
		"DER response":    response(gbcs.CodeActivateFirmware, gbcs.ActivateFirmwareResponse{Accepted: true}),
		"DLMS command":    command(gbcs.CodeReadESMEFirmwareVersion, gbcs.ReadESMEFirmwareVersionCommand{InvokeID: 7}),
		"DLMS response":   response(gbcs.CodeReadESMEFirmwareVersion, gbcs.ReadESMEFirmwareVersionResponse{InvokeID: 7}),
		"GBZ command":     command(gbcs.CodeReadGSMEFirmwareVersion, gbcs.ReadGSMEFirmwareVersionCommand{}),
		"GBZ response":    response(gbcs.CodeReadGSMEFirmwareVersion, gbcs.ReadGSMEFirmwareVersionResponse{}),
	}
}

// TestWhatIsSignedHolds over all three encodings, with its own counter and with one of more
// bytes, and whatever byte of it is changed, no more.
func TestWhatIsSignedHolds(t *testing.T) {
	certs := keysIn(t, folderOf(t, []party{newSigner(t, supplier), newSigner(t, broker), newSigner(t, meter)}))
	holds := func(b []byte) bool {
		v := certs.Verify(b)
		return (v.Result == Holds || v.Result == NotSigned) && (v.MAC == Holds || v.MAC == NotMACed) && v.Wanted()
	}
	for name, m := range messagesOfAllCores() {
		for _, counter := range []uint64{0, 7, 0x0102030405060708} {
			s, err := certs.Sign(m.Append(nil), counter)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			b := codectest.Hex(t, s.Hex)
			if !holds(b) || s.Signed != (certs.Verify(b).Result == Holds) || s.MACBy != certs.Verify(b).MACBy {
				t.Errorf("%s: %+v: %+v", name, s, certs.Verify(b))
			}
			again, err := certs.Sign(b, 0)
			if err != nil || again != s {
				t.Errorf("%s: signed again it is another: %+v, %v", name, again, err)
			}
			got := tree.Decode(b)
			if counter == 0 || counter == m.OriginatorCounter {
				if !bytes.Equal(got.Signed, m.AppendSigned(nil)) {
					t.Errorf("%s: more was changed than signature and MAC", name)
				}
			} else if len(got.Problems) > 0 || got.Counter != counter {
				t.Errorf("%s: counter %d, want %d: %v", name, got.Counter, counter, got.Problems)
			}
			for i := range b {
				changed := bytes.Clone(b)
				changed[i] ^= 1
				if holds(changed) {
					t.Errorf("%s: holds with byte %d changed", name, i)
				}
			}
		}
	}
}

// TestTheCounterIsSetWhereverItStands: a device compares the one in the payload.
func TestTheCounterIsSetWhereverItStands(t *testing.T) {
	certs := keysIn(t, folderOf(t, []party{newSigner(t, supplier), newSigner(t, broker), newSigner(t, meter)}))
	for name, m := range messagesOfAllCores() {
		s, err := certs.Sign(m.Append(nil), 0x01020304)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := gbcs.ParseMessage(codectest.Hex(t, s.Hex))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		p, err := got.ParsePayload()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		switch p := p.(type) {
		case gbcs.ActivateFirmwareCommand:
			if p.OriginatorCounter != 0x01020304 {
				t.Errorf("%s: counter in the payload %d", name, p.OriginatorCounter)
			}
		case gbcs.ReadESMEFirmwareVersionCommand:
			if p.InvokeID != 0x020304 {
				t.Errorf("%s: invoke identifier %X", name, p.InvokeID)
			}
		}
	}
	// One that differed from the header's stays: somebody wanted it so.
	m := messagesOfAllCores()["DER command"]
	m.Payload = gbcs.ActivateFirmwareCommand{OriginatorCounter: 6}.Append(nil)
	s, err := certs.Sign(m.Append(nil), 8)
	if err != nil {
		t.Fatal(err)
	}
	if got := tree.Decode(codectest.Hex(t, s.Hex)); !bytes.Equal(got.Payload, m.Payload) || got.Counter != 8 {
		t.Errorf("payload %X, want %X; counter %d", got.Payload, m.Payload, got.Counter)
	}
}

// TestTheCounterIsSetInAReplacementOfCredentials (CS02b), as the sequence number of who
// authorises it, also where it becomes longer; one that differed stays.
func TestTheCounterIsSetInAReplacementOfCredentials(t *testing.T) {
	certs := keysIn(t, folderOf(t, []party{newSigner(t, supplier), newSigner(t, broker), newSigner(t, meter)}))
	for _, tt := range []struct {
		give, want string
		counter    uint64
	}{
		{"30 0C  30 06 020102 8301 07  30 00 30 00", "30 0F  30 09 020102 8304 01020304  30 00 30 00", 0x01020304},
		{"30 82 000C  30 06 020102 8301 07  30 00 30 00", "30 82 000D  30 07 020102 8302 00FF  30 00 30 00", 0xFF},
		{"30 0C  30 06 020102 8301 06  30 00 30 00", "30 0C  30 06 020102 8301 06  30 00 30 00", 0xFF},
	} {
		m := gbcs.Message{CRA: gbcs.Command, OriginatorCounter: 7, Originator: supplier, Recipient: meter, Code: 0x0102, Payload: codectest.Hex(t, tt.give)}
		s, err := certs.Sign(m.Append(nil), tt.counter)
		if err != nil {
			t.Fatal(err)
		}
		b := codectest.Hex(t, s.Hex)
		if got := tree.Decode(b); !bytes.Equal(got.Payload, codectest.Hex(t, tt.want)) || got.Counter != tt.counter {
			t.Errorf("%s became % X with counter %d, want %s", tt.give, got.Payload, got.Counter, tt.want)
		}
		if v := certs.Verify(b); v.Result != Holds || v.MAC != Holds {
			t.Errorf("%s: %+v", tt.give, v)
		}
	}
}

// TestSigningSaysWhatIsMissing in one line.
func TestSigningSaysWhatIsMissing(t *testing.T) {
	all := []party{newSigner(t, supplier), newSigner(t, broker), newSigner(t, meter), newSigner(t, broker+1)}
	order := hex.EncodeToString(messagesOfAllCores()["DER command"].Append(nil))
	unknown := messagesOfAllCores()["DER command"]
	unknown.Code = 0xFFF0
	for _, tt := range []struct {
		message string
		without []string
		want    string
	}{
		{order, []string{supplier.String()}, "no certificate for signing of the originator 90B3D51F30010000"},
		{order, []string{supplier.String() + "-ds.key"}, "no private key for signing of the originator 90B3D51F30010000: want it in a .key file"},
		{order, []string{broker.String()}, "no certificate for key agreement of the access control broker, which makes the MAC"},
		{order, []string{meter.String()}, "no certificate for key agreement of 00DB1234567890A1, to make the MAC with"},
		{order, []string{"-ka.key"}, "no private key for key agreement of 00DB1234567890A1 or 90B3D51F30000002, to make the MAC with: want one in a .key file"},
		{order[:20], nil, "byte "},
		{hex.EncodeToString(unknown.Append(nil)), nil, "no use case has a command with message code FFF0: nothing says how it is signed"},
	} {
		dir := folderOf(t, all, tt.without...)
		s, err := ReadAndSign(t.Context(), dir, nil, []string{tt.message}, 0)
		if err == nil || !strings.Contains(err.Error(), dir+": "+tt.want) || strings.Contains(err.Error(), "\n") || s.Hex != "" {
			t.Errorf("without %v: %v, want …%s", tt.without, err, tt.want)
		}
	}
	if _, err := ReadAndSign(context.Background(), "", nil, []string{order}, 0); err == nil || !strings.HasPrefix(err.Error(), "--keys: ") {
		t.Errorf("without a folder: %v", err)
	}
}

// TestKeysThatOthersMayReadAreRefused with the command that mends it, whatever they are for.
func TestKeysThatOthersMayReadAreRefused(t *testing.T) {
	dir := folderOf(t, []party{newSigner(t, supplier)})
	key := filepath.Join(dir, supplier.String()+"-ds.key")
	for _, tt := range []struct {
		file, folder os.FileMode
		want         string
	}{{0o644, 0o700, "run chmod 600 " + key}, {0o600, 0o755, "run chmod 700 " + dir}} {
		if err := errors.Join(os.Chmod(key, tt.file), os.Chmod(dir, tt.folder)); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadCertificates(t.Context(), dir); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%04o in %04o: %v, want …%s", tt.file, tt.folder, err, tt.want)
		}
	}
}

// TestPublishedMessagesAreSignedAgain with keys made for their parties: each holds then, and
// of nothing but signature and MAC was a byte changed.
func TestPublishedMessagesAreSignedAgain(t *testing.T) {
	messages, _, err := Read(t.Context(), nil, []string{filepath.Join(codectest.Vectors(t), "rtds")})
	if err != nil {
		t.Fatal(err)
	}
	known := map[han.EUI64]party{broker: newSigner(t, broker)}
	for _, m := range messages {
		for p := tree.Decode(m.Bytes); ; p.Originator = p.Recipient {
			if known[p.Originator] == nil {
				known[p.Originator] = newSigner(t, p.Originator)
			}
			if p.Originator == p.Recipient {
				break
			}
		}
	}
	var parties []party
	for _, p := range known {
		parties = append(parties, p)
	}
	certs := keysIn(t, folderOf(t, parties))
	for _, m := range messages {
		before := tree.Decode(m.Bytes)
		s, err := certs.Sign(m.Bytes, 0)
		if err != nil {
			t.Errorf("%s: %v", m.File, err)
			continue
		}
		b := codectest.Hex(t, s.Hex)
		after, v := tree.Decode(b), certs.Verify(b)
		if !bytes.Equal(after.Signed, before.Signed) || !before.PreCommand && len(b) != len(m.Bytes) {
			t.Errorf("%s: more was changed than signature and MAC", m.File)
		}
		if v.Result != Holds && v.Result != NotSigned || v.MAC != Holds && v.MAC != NotMACed {
			t.Errorf("%s: %+v", m.File, v)
		}
	}
}
