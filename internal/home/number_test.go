package home

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/pki"
)

// folders are those of a home.
func folders(t *testing.T) (certificates, state string) {
	state = t.TempDir()
	return filepath.Join(state, "pki"), state
}

func TestANewHomeHasIdentitiesOfItsOwnAndKeepsThem(t *testing.T) {
	certificates, state := folders(t)
	first, err := NumberOf(certificates, state, Asked{})
	if err != nil || first == 0 {
		t.Fatalf("home %d, %v; want a number of its own", first, err)
	}
	otherCertificates, otherState := folders(t)
	if other, err := NumberOf(otherCertificates, otherState, Asked{own: true}); err != nil || other == first {
		t.Errorf("another home is %d, %v; the first is %d", other, err, first)
	}
	for _, asked := range []Asked{{}, {own: true}, {set: true, number: first}} {
		if again, err := NumberOf(certificates, state, asked); err != nil || again != first {
			t.Errorf("%+v: home %d, %v; want %d", asked, again, err, first)
		}
	}
	if _, err := NumberOf(certificates, state, Asked{set: true, number: first + 1}); err == nil {
		t.Error("another home is put into the folder")
	}
	if err := os.WriteFile(filepath.Join(certificates, "home"), []byte("seven\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := NumberOf(certificates, state, Asked{}); err == nil || !strings.Contains(err.Error(), `home: "seven": want a number from 0 to 16777215`) {
		t.Errorf("a damaged number: %v", err)
	}
}

// Whichever command comes first to a new folder, the home is a new one.
func TestCertificatesAreANewHomes(t *testing.T) {
	certificates, state := folders(t)
	if _, err := pki.Init(certificates, time.Now()); err != nil {
		t.Fatal(err)
	}
	if n, err := NumberOf(certificates, state, Asked{}); err != nil || n == 0 {
		t.Errorf("home %d, %v; want a number of its own", n, err)
	}
}

func TestTheHomesOfEarlierReleasesKeepTheirIdentities(t *testing.T) {
	certificates, state := folders(t)
	if _, err := pki.Init(certificates, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(certificates, "home")); err != nil {
		t.Fatal(err)
	}
	if n, err := NumberOf(certificates, state, Asked{}); err != nil || n != 0 {
		t.Errorf("a home without a number is %d, %v; want 0", n, err)
	}
	if err := pki.KeepHome(state, 77); err != nil {
		t.Fatal(err)
	}
	if n, err := NumberOf(certificates, state, Asked{}); err != nil || n != 77 {
		t.Errorf("a home with its number in its state is %d, %v; want 77", n, err)
	}
}

func TestThePublishedIdentitiesAreThereForWhoAsks(t *testing.T) {
	var asked Asked
	flag := Published{&asked}
	for _, text := range []string{"true", "false", "true"} {
		if err := flag.Set(text); err != nil || flag.String() != text {
			t.Fatalf("%s: %q, %v", text, flag.String(), err)
		}
	}
	certificates, state := folders(t)
	n, err := NumberOf(certificates, state, asked)
	if err != nil || n.Hub(hub.Config{}).EUI64 != hub.DefaultConfig().EUI64 {
		t.Errorf("home %d, %v", n, err)
	}
	if _, err := pki.Init(certificates, time.Now()); err != nil {
		t.Fatal(err)
	}
	if again, err := NumberOf(certificates, state, Asked{}); err != nil || again != 0 {
		t.Errorf("home %d, %v; want 0", again, err)
	}
}

// What is missing is said before anything is made in its place.
func TestAHomeWithoutItsCertificatesIsNoNewOne(t *testing.T) {
	for _, part := range []string{"hub", "meters"} {
		certificates, state := folders(t)
		if err := os.Mkdir(filepath.Join(state, part), 0o700); err != nil {
			t.Fatal(err)
		}
		_, err := NumberOf(certificates, state, Asked{})
		if want := certificates + " is missing, but a home has been here"; err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", part, err, want)
		}
		if pki.HasRoot(certificates) {
			t.Errorf("%s: new certificates", part)
		}
	}
}

func TestDevicesAreNamedByTheirKindAsWell(t *testing.T) {
	var d Devices
	for _, text := range []string{"esme,GSME=", "GSME=00DB1234567890B1", "Ihd"} {
		if err := d.Set(text); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := d.String(), "ESME,GSME,GSME=00DB1234567890B1,IHD"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	own := d.Of(1)
	if got, want := own.String(), "ESME=00DB1234567891A0,GSME=00DB1234567891A1,GSME=00DB1234567890B1,IHD=00DB1234567891A4"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for _, text := range []string{"CAD", "fridge", "GSME=7", ""} {
		if err := d.Set(text); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}

func TestAHomeIsKnownByItsHub(t *testing.T) {
	for _, n := range []Number{0, 1, 255, 256, MaxNumber} {
		if got, ok := NumberOfHub(n.Hub(hub.Config{}).EUI64); !ok || got != n {
			t.Errorf("home %d is taken for %d, %v", n, got, ok)
		}
	}
	for _, eui := range []han.EUI64{0, 0x00DB1234567890A2, 0x0011223344556677, hub.DefaultConfig().EUI64 + han.EUI64(MaxNumber+1)<<8, ^han.EUI64(0)} {
		if n, ok := NumberOfHub(eui); ok {
			t.Errorf("%s is taken for the hub of home %d", eui, n)
		}
	}
	if _, err := Number(0).Device(store.KindCAD); err == nil {
		t.Error("a home has a CAD of its own")
	}
}
