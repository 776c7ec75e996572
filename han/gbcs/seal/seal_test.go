package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"testing"

	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/internal/codectest"
)

// The cryptographic test vectors of GBCS 18.4, as HenryGiraldo/gbcs has them in the
// public domain: a command of supplier A to device A, MACed by the broker.
const (
	supplierDS = "3A6B2EAA0D9F25A9E455983FEB5BB947528121911BF3B76BE5661C89DBF24B26" // private
	brokerKA   = "E4A6CFB431471CFCAE491FD566D19C87082CF9FA7722D7FA24B2B3F5669DBEFB" // private
	deviceKA   = `04 2DB45A3F21889438B42C8F464C75292BACF5FDDB5DA0B492501B299CBFE92D8F
		DB90FC8FF4026129838B1BCAD1402CAE47FE7D8084E409A41AFCE16D63579C5F` // public
	resetBalance = `
		DD 000000000000 81A9 11 00000000       # MAC header
		DF 09 01 0000000000000001              # command, counter 1
		08 123456789ABCDEF0 08 FFFFFFFFFFFFFFFE
		00 02 00B3                             # ECS04b Reset Meter Balance on the ESME
		35 D92000000100030300700000130A00FF020300700000130A01FF
		020300700000130A02FF0203050000000005000000000500000000
		40 59045AB0F554622B0360340B9D87B5A23ED5723B41DE3F206E58CDD10F915B9F
		E2E12E2DA3632478A8DF678E418895869AC1E55318CCE04D120D2D6B44DC167B
		5D832D15B57A56D620F198B3               # MAC`
)

func privateKey(t *testing.T, hex string) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), codectest.Hex(t, hex))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// published returns the published command, and what broker and device have in common.
func published(t *testing.T) ([]byte, gbcs.Message, Secret) {
	t.Helper()
	data := codectest.Hex(t, resetBalance)
	m, err := gbcs.ParseMessage(data)
	if err != nil {
		t.Fatal(err)
	}
	own, err := privateKey(t, brokerKA).ECDH()
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdh.P256().NewPublicKey(codectest.Hex(t, deviceKA))
	if err != nil {
		t.Fatal(err)
	}
	secret, err := Agree(own, other)
	if err != nil {
		t.Fatal(err)
	}
	return data, m, secret
}

func TestThePublishedCommandHolds(t *testing.T) {
	data, m, secret := published(t)
	if err := CheckSignature(&privateKey(t, supplierDS).PublicKey, m); err != nil {
		t.Errorf("signature: %v", err)
	}
	if err := secret.CheckMACOf(m); err != nil {
		t.Errorf("MAC: %v", err)
	}
	m.MAC, m.HasMAC = [gbcs.MACSize]byte{}, false
	if got := secret.WithMAC(m).Append(nil); !bytes.Equal(got, data) {
		t.Errorf("MACed again:\n%X\nwant\n%X", got, data)
	}
}

// TestNoByteOfTheCommandCanChange: whatever is changed, it is no message any more, or its
// MAC does not hold; and if it is what was signed, nor does the signature.
func TestNoByteOfTheCommandCanChange(t *testing.T) {
	data, _, secret := published(t)
	key := &privateKey(t, supplierDS).PublicKey
	const signed, mac = 15, 12 // in front of what is signed; behind the signature
	for i := range data {
		changed := bytes.Clone(data)
		changed[i] ^= 1
		m, err := gbcs.ParseMessage(changed)
		if err != nil {
			continue
		}
		if secret.CheckMACOf(m) == nil {
			t.Errorf("MAC holds with byte %d changed", i)
		}
		if i >= signed && i < len(data)-mac && CheckSignature(key, m) == nil {
			t.Errorf("signature holds with byte %d changed", i)
		}
	}
}

// TestSigningIsRepeatable: the same message is signed with the same bytes.
func TestSigningIsRepeatable(t *testing.T) {
	_, m, _ := published(t)
	key := privateKey(t, supplierDS)
	m.Signature, m.HasMAC, m.PreCommand = nil, false, true
	first, err := Sign(key, m)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Sign(key, m)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Append(nil), second.Append(nil)) {
		t.Error("signed twice, it is two messages")
	}
	if err := CheckSignature(&key.PublicKey, first); err != nil {
		t.Error(err)
	}
	if first.PreCommand {
		t.Error("a signed command is called a pre-command")
	}
}

// TestAKeyIsForOneMessage: nothing of a context can change without changing the MAC.
func TestAKeyIsForOneMessage(t *testing.T) {
	_, m, secret := published(t)
	c := ContextOf(m)
	covered := m.AppendMACed(nil)
	for name, other := range map[string]Context{
		"originator": {c.Originator + 1, c.Recipient, c.Counter, c.Purpose},
		"recipient":  {c.Originator, c.Recipient - 1, c.Counter, c.Purpose},
		"counter":    {c.Originator, c.Recipient, c.Counter + 1, c.Purpose},
		"purpose":    {c.Originator, c.Recipient, c.Counter, Purpose(gbcs.Response)},
	} {
		if secret.CheckMAC(other, covered, m.MAC[:]) == nil {
			t.Errorf("holds for another %s", name)
		}
	}
	if secret.CheckMAC(c, covered, nil) == nil {
		t.Error("no MAC at all holds")
	}
	secret[0] ^= 1
	if secret.CheckMAC(c, covered, m.MAC[:]) == nil {
		t.Error("holds with another secret")
	}
}

func TestOtherCurvesAreRefused(t *testing.T) {
	own, err := ecdh.P384().NewPrivateKey(bytes.Repeat([]byte{1}, 48))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Agree(own, own.PublicKey()); err == nil {
		t.Error("agreed on P-384")
	}
}

// TestAValueOpens that was sealed here step by step as the package says.
func TestAValueOpens(t *testing.T) {
	_, _, secret := published(t)
	c := Context{Originator: 0xFFFFFFFFFFFFFFFE, Recipient: 0x123456789ABCDEF0, Counter: 0x0102030405060708, Purpose: Encryption}
	key := sha256.Sum256(append(append([]byte{0, 0, 0, 1}, secret[:]...), codectest.Hex(t, `
		60 85 74 06 08 03 00 FF FF FF FF FF FF FF FE
		09 04 01 02 03 04 05 06 07 08 12 34 56 78 9A BC DE F0`)...))
	block, err := aes.NewCipher(key[:16])
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCMWithTagSize(block, 12)
	if err != nil {
		t.Fatal(err)
	}
	value := []byte("7 kWh")
	sealed := gcm.Seal(nil, codectest.Hex(t, "FF FF FF FF FF FF FF FE 00 00 00 00"), value, []byte{0x31})
	if got, err := secret.Open(c, sealed); err != nil || !bytes.Equal(got, value) {
		t.Errorf("opened to %q, %v", got, err)
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if _, err := secret.Open(c, changed); err == nil {
			t.Errorf("opened with byte %d changed", i)
		}
	}
	if _, err := secret.Open(c, sealed[:5]); err == nil {
		t.Error("opened without its tag")
	}
}

// An order to activate: signed by the supplier and MACed by the broker, and checked by its
// meter. What two parties have in common is agreed on before, as they keep it.
func BenchmarkOrder(b *testing.B) {
	supplier, broker, meter := Derive(1, 1), Derive(1, 2), Derive(1, 3)
	s, err := Agree(broker.KA, meter.KA.PublicKey())
	if err != nil {
		b.Fatal(err)
	}
	common := func() (Secret, error) { return s, nil }
	m := gbcs.Message{CRA: gbcs.Command, OriginatorCounter: 1, Originator: 1, Recipient: 3, Code: gbcs.CodeActivateFirmware,
		Payload: gbcs.ActivateFirmwareCommand{OriginatorCounter: 1}.Append(nil)}
	order, err := Protect(m, supplier.DS, common)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("protect", func(b *testing.B) {
		for b.Loop() {
			if _, err := Protect(m, supplier.DS, common); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("check", func(b *testing.B) {
		for b.Loop() {
			if err := Check(order, &supplier.DS.PublicKey, common); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("agree", func(b *testing.B) {
		for b.Loop() {
			if _, err := Agree(meter.KA, broker.KA.PublicKey()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
