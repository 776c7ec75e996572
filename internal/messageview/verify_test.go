package messageview

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/seal"
	"github.com/commshub/commshub/han/gbcs/tree"
	"github.com/commshub/commshub/han/rawsig"
	"github.com/commshub/commshub/internal/codectest"
)

const supplier han.EUI64 = 0x90B3D51F30010000

// newParty returns a key and an organisation's certificate for it.
func newParty(t *testing.T, id han.EUI64) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), KeyUsage: x509.KeyUsageDigitalSignature, SubjectKeyId: []byte{3, 4},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1, 0),
		Subject: pkix.Name{CommonName: "SUPPLIER", ExtraNames: []pkix.AttributeTypeAndValue{{
			Type: asn1.ObjectIdentifier{2, 5, 4, 45}, Value: asn1.BitString{Bytes: id.AppendPrint(nil), BitLength: 64}}}}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return key, cert
}

// activation returns a signed CS06 command.
func activation(t *testing.T, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	m := gbcs.Message{CRA: gbcs.Command, OriginatorCounter: 7, Originator: supplier, Recipient: 0xA1, Code: gbcs.CodeActivateFirmware,
		Payload: gbcs.ActivateFirmwareCommand{OriginatorCounter: 7}.Append(nil), PreCommand: true}
	signature, err := rawsig.Sign(key, tree.Decode(m.Append(nil)).Signed)
	if err != nil {
		t.Fatal(err)
	}
	m.PreCommand, m.Signature, m.HasMAC = false, signature, true
	return m.Append(nil)
}

func TestASignatureHoldsForItsOriginatorAndItsBytesAlone(t *testing.T) {
	key, cert := newParty(t, supplier)
	var certs Certificates
	if err := certs.Add(cert); err != nil {
		t.Fatal(err)
	}
	if err := certs.Check(); err != nil {
		t.Fatal(err)
	}
	b := activation(t, key)
	if v := certs.Verify(b); v.Result != Holds || v.Name != "SUPPLIER" || v.SubjectKey != "0304" {
		t.Fatalf("%+v, want that it holds", v)
	}
	// What is signed and the signature itself: whatever byte is changed, it does not hold.
	signed := tree.Decode(b).Signed
	start := bytes.Index(b, signed)
	for i := start; i < len(b)-gbcs.MACSize; i++ {
		changed := bytes.Clone(b)
		changed[i] ^= 0x01
		if v := certs.Verify(changed); v.Result.Wanted() {
			t.Errorf("%s with byte %d changed", v.Result, i)
		}
	}
	other, _ := newParty(t, supplier)
	if v := certs.Verify(activation(t, other)); v.Result != DoesNotMatch {
		t.Errorf("another key: %s", v.Result)
	}
	if v := new(Certificates).Verify(b); v.Result != NoCertificate {
		t.Errorf("no certificates: %s", v.Result)
	}
	if v := certs.Verify(b[:20]); v.Result != NotRead || !strings.Contains(v.Reason, "byte ") {
		t.Errorf("cut off: %+v", v)
	}
}

func TestWhatIsNotSigned(t *testing.T) {
	var certs Certificates
	for want, m := range map[Result]gbcs.Message{
		NotSigned:  {CRA: gbcs.Command, Code: gbcs.CodeReadGSMEFirmwareVersion, Payload: []byte{1, 9, 0}, HasMAC: true},
		PreCommand: {CRA: gbcs.Command, Code: gbcs.CodeActivateFirmware, Payload: []byte{5, 0}, PreCommand: true},
		Missing:    {CRA: gbcs.Response, Code: gbcs.CodeActivateFirmware, Payload: []byte{5, 0}},
	} {
		if v := certs.Verify(m.Append(nil)); v.Result != want {
			t.Errorf("%v: %s, want %s", m.Code, v.Result, want)
		}
	}
}

// newAgreement returns a key agreement key in PEM, and a certificate for it.
func newAgreement(t *testing.T, id han.EUI64) (*ecdh.PrivateKey, []byte, []byte) {
	t.Helper()
	key, _ := newParty(t, id)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), KeyUsage: x509.KeyUsageKeyAgreement,
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1, 0), Subject: pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{{
			Type: asn1.ObjectIdentifier{2, 5, 4, 45}, Value: asn1.BitString{Bytes: id.AppendPrint(nil), BitLength: 64}}}}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := key.ECDH()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return private, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), cert
}

// TestAMACIsHeldAgainstWhoeverMadeIt: a command is MACed by the broker, whom it does not
// name.
func TestAMACIsHeldAgainstWhoeverMadeIt(t *testing.T) {
	const broker, meter han.EUI64 = 0x90B3D51F30000002, 0xA1
	brokers, brokersPEM, brokersCert := newAgreement(t, broker)
	meters, metersPEM, metersCert := newAgreement(t, meter)
	signing, cert := newParty(t, supplier)
	secret, err := seal.Agree(brokers, meters.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	m, err := gbcs.ParseMessage(activation(t, signing))
	if err != nil {
		t.Fatal(err)
	}
	b := secret.WithMAC(m).Append(nil)
	for name, key := range map[string][]byte{"the broker's": brokersPEM, "the meter's": metersPEM} {
		var certs Certificates
		for _, c := range [][]byte{cert, brokersCert, metersCert} {
			if err := certs.Add(c); err != nil {
				t.Fatal(err)
			}
		}
		if v := certs.Verify(b); v.MAC != NoKey || !v.Wanted() {
			t.Errorf("without a key: %+v", v)
		}
		if err := certs.AddKey(key); err != nil {
			t.Fatal(err)
		}
		certs.Pair()
		if v := certs.Verify(b); v.MAC != Holds || v.MACBy != broker.String() || !v.Wanted() {
			t.Errorf("with %s key: %+v", name, v)
		}
		changed := bytes.Clone(b)
		changed[len(b)-1] ^= 1
		if v := certs.Verify(changed); v.MAC != DoesNotMatch || v.Result != Holds || v.Wanted() {
			t.Errorf("with %s key, MAC changed: %+v", name, v)
		}
		if v := certs.Verify(m.AppendMACed(nil)); v.MAC != Missing || v.Wanted() {
			t.Errorf("without a MAC: %+v", v)
		}
	}
}

// TestNamesInCertificatesAreHarmless: who made a certificate may have written anything.
func TestNamesInCertificatesAreHarmless(t *testing.T) {
	var b strings.Builder
	Verdict{Originator: "90B3D51F30010000", Name: "\x1b[2J\nsignature    holds", Issuer: "\u202e", Result: DoesNotMatch}.Print(&b)
	const want = `originator   90B3D51F30010000 \x1b[2J\nsignature    holds
signature    does not match
issuer       \u202e
`
	if b.String() != want {
		t.Errorf("printed %q, want %q", b.String(), want)
	}
}

// addPublishedKeys adds private keys and returns how many there are. They are not among
// the vectors, but published with SmartDCC's gbcs-parser.
func addPublishedKeys(t *testing.T, certs *Certificates, folder string) int {
	t.Helper()
	keys, err := filepath.Glob(filepath.Join(folder, "*.key"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range keys {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := certs.AddKey(b); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	certs.Pair()
	return len(keys)
}

// TestPublishedSignatures: every signature holds whose originator's certificate is among
// the published ones, and none does with a byte changed.
func TestPublishedSignatures(t *testing.T) {
	folder := filepath.Join(codectest.Vectors(t), "rtds")
	var certs Certificates
	read := func(pattern string, use func(name string, b []byte)) {
		files, err := filepath.Glob(filepath.Join(folder, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			use(filepath.Base(file), b)
		}
	}
	read("*.pem", func(name string, b []byte) {
		if err := certs.Add(b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	})
	keys := addPublishedKeys(t, &certs, folder)
	var verdicts []Verdict
	opened, encrypted := 0, 0
	read("*.HEX", func(name string, text []byte) {
		b, err := hex.DecodeString(strings.TrimSpace(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		v := certs.Verify(b)
		verdicts = append(verdicts, v)
		view := Of(b, &certs)
		opened, encrypted = opened+view.Opened, encrypted+view.Encrypted
		if len(view.Problems) > 0 {
			t.Errorf("%s: %+v", name, view.Problems)
		}
		if v.MAC == DoesNotMatch || v.MAC == Missing {
			t.Errorf("%s: MAC: %s", name, v.MAC)
		}
		if !v.Result.Wanted() && v.Result != NoCertificate {
			t.Errorf("%s: %s", name, v.Result)
		}
		if v.Result != Holds {
			return
		}
		// A byte of the counter, of the recipient, of the payload, and of the signature.
		signed := tree.Decode(b).Signed
		start := bytes.Index(b, signed)
		for _, i := range []int{start + 5, start + 25, start + len(signed) - 1, start + len(signed) + 30} {
			changed := bytes.Clone(b)
			changed[i] ^= 0x10
			if v := certs.Verify(changed); v.Result == Holds {
				t.Errorf("%s: holds with byte %d changed", name, i)
			}
		}
	})
	c := CountVerdicts(verdicts)
	if c.Holds < 250 {
		t.Errorf("%+v, want 250 signatures or more that hold", c)
	}
	t.Logf("%+v", c)
	if keys == 0 {
		t.Logf("MACs are not checked, and encrypted values not opened: no *.key in %s", folder)
	} else if c.MACsHold < 440 || opened != encrypted {
		t.Errorf("%d MACs hold, want 440 or more; %d of %d encrypted values opened", c.MACsHold, opened, encrypted)
	}
}
