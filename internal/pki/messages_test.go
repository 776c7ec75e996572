package pki

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/seal"
)

const (
	messageMeter  han.EUI64 = 0x00DB1234567890A1
	messageBroker han.EUI64 = 0x90B3D51F30000002
)

// TestMessageKeysProtectWhatTheOtherSideChecks, each with the keys of its own folder.
func TestMessageKeysProtectWhatTheOtherSideChecks(t *testing.T) {
	authority := t.TempDir()
	a, err := Init(authority, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	hub, meter := t.TempDir(), t.TempDir()
	supplier := han.EUI64(SupplierID)
	root, err := os.ReadFile(certFile(authority, rootName))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{hub, meter} {
		if err := os.WriteFile(certFile(dir, rootName), root, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range []error{
		a.ExportMessageKeys(hub, supplier, OwnerSupplier, true), a.ExportMessageKeys(hub, messageBroker, OwnerBroker, true),
		a.ExportMessageKeys(hub, messageMeter, OwnerDevice, false),
		a.ExportMessageKeys(meter, messageMeter, OwnerDevice, true), a.ExportMessageKeys(meter, supplier, OwnerSupplier, false),
		a.ExportMessageKeys(meter, messageBroker, OwnerBroker, false),
	} {
		if e != nil {
			t.Fatal(e)
		}
	}
	own := func(dir string, id han.EUI64, owner Owner) seal.Keys {
		return must[seal.Keys](t)(MessageKeys(dir, id, owner))
	}
	m := gbcs.Message{CRA: gbcs.Command, OriginatorCounter: 5, Originator: supplier, Recipient: messageMeter, Code: gbcs.CodeActivateFirmware,
		Payload: gbcs.ActivateFirmwareCommand{OriginatorCounter: 5}.Append(nil)}
	m, err = seal.Protect(m, own(hub, supplier, OwnerSupplier).DS, func() (seal.Secret, error) {
		p, err := MessageParty(hub, messageMeter)
		if err != nil {
			return seal.Secret{}, err
		}
		return seal.Agree(own(hub, messageBroker, OwnerBroker).KA, p.KA)
	})
	if err != nil {
		t.Fatal(err)
	}
	from, err := MessageParty(meter, supplier)
	if err != nil {
		t.Fatal(err)
	}
	if err := seal.Check(m, from.DS, func() (seal.Secret, error) {
		p, err := MessageParty(meter, messageBroker)
		if err != nil {
			return seal.Secret{}, err
		}
		return seal.Agree(own(meter, messageMeter, OwnerDevice).KA, p.KA)
	}); err != nil {
		t.Errorf("the meter refuses it: %v", err)
	}
	if _, err := os.Stat(keyFile(hub, messageMeter.String()+forSigning)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the meter's key is in the hub's folder: %v", err)
	}
	if _, err := MessageKeys(hub, messageMeter, OwnerDevice); err == nil || !strings.Contains(err.Error(), "commshub provision") {
		t.Errorf("the hub has the meter's keys: %v", err)
	}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// TestMessageKeysAreMadeOnce, in the SMKI's shape, and what is broken is not overwritten.
func TestMessageKeysAreMadeOnce(t *testing.T) {
	dir := t.TempDir()
	first := must[seal.Keys](t)(MessageKeys(dir, SupplierID, OwnerSupplier))
	second := must[seal.Keys](t)(MessageKeys(dir, SupplierID, OwnerSupplier))
	if !first.DS.Equal(second.DS) || !first.KA.Equal(second.KA) {
		t.Error("made twice")
	}
	c, err := readSMKI(certFile(dir, han.EUI64(SupplierID).String()+forAgreement))
	if err != nil || c.EUI64 != SupplierID || !c.Organisation || !c.KeyAgreement || c.DigitalSignature || len(c.SubjectKeyID) != 8 {
		t.Errorf("%+v, %v", c, err)
	}
	must[seal.Keys](t)(MessageKeys(dir, messageMeter, OwnerDevice))
	d, err := readSMKI(certFile(dir, messageMeter.String()+forSigning))
	if err != nil || d.EUI64 != messageMeter || d.Organisation || !d.DigitalSignature {
		t.Errorf("%+v, %v", d, err)
	}
	shown, err := List(dir)
	if err != nil || len(Views(shown)) != 5 || Views(shown)[3].Role != "key agreement" || Views(shown)[3].Problem != "" {
		t.Errorf("listed %+v, %v", Views(shown), err)
	}
	file := certFile(dir, messageMeter.String()+forSigning)
	for what, text := range map[string][]byte{
		"no certificate":  []byte("nothing"),
		"of another":      must[[]byte](t)(os.ReadFile(certFile(dir, han.EUI64(SupplierID).String()+forSigning))),
		"for another use": must[[]byte](t)(os.ReadFile(certFile(dir, messageMeter.String()+forAgreement))),
	} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := MessageKeys(dir, messageMeter, OwnerDevice); err == nil || !strings.Contains(err.Error(), filepath.Base(file)) {
			t.Errorf("%s: %v, want it refused and named", what, err)
		}
		if got := must[[]byte](t)(os.ReadFile(file)); string(got) != string(text) {
			t.Errorf("%s: overwritten", what)
		}
	}
}
