package pki

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestABrokersMachineNeedsNoRootKey: what was provisioned for it is enough.
func TestABrokersMachineNeedsNoRootKey(t *testing.T) {
	dir, machine := t.TempDir(), t.TempDir()
	made, err := Server(dir, "broker.lab.example")
	if err != nil {
		t.Fatal(err)
	}
	if err := made.Export(machine, true); err != nil {
		t.Fatal(err)
	}
	if got, err := Server(machine, "localhost"); err != nil || fingerprint(got) != fingerprint(made) {
		t.Errorf("%v", err)
	}
	if again, err := Server(dir, "localhost"); err != nil || len(again.Certificate.DNSNames) != 2 {
		t.Errorf("the authority's folder, for another name: %v", err)
	}
}

// TestWhatAFolderLacksIsMade, and what it has is used, also where no root's key is.
func TestWhatAFolderLacksIsMade(t *testing.T) {
	dir := t.TempDir()
	device, err := Device(dir, gasMeter)
	if err != nil {
		t.Fatal(err)
	}
	manufacturer, supplier, err := Signers(dir)
	if err != nil {
		t.Fatal(err)
	}
	key, err := SignerKey(dir, RoleSupplier)
	if err != nil || !key.Equal(&supplier.Key.PublicKey) {
		t.Errorf("the supplier's key: %v", err)
	}
	for _, file := range []string{"root.key", "supplier.key"} {
		if err := os.Remove(filepath.Join(dir, file)); err != nil {
			t.Fatal(err)
		}
	}
	if again, err := Device(dir, gasMeter); err != nil || fingerprint(again) != fingerprint(device) {
		t.Errorf("the device again: %v", err)
	}
	if again, err := Signer(dir, RoleManufacturer); err != nil || fingerprint(again) != fingerprint(manufacturer) {
		t.Errorf("the manufacturer again: %v", err)
	}
	if again, err := SignerKey(dir, RoleSupplier); err != nil || !again.Equal(key) {
		t.Errorf("by its certificate alone: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "supplier.pem"), []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := SignerKey(dir, RoleSupplier); err == nil || !strings.Contains(err.Error(), "supplier.pem") {
		t.Errorf("a broken certificate: %v", err)
	}
}
