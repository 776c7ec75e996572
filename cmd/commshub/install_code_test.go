package main

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/commshub/commshub/han/installcode"
	"github.com/commshub/commshub/internal/home"
)

// meterCode is that of the Zigbee specifications.
const meterCode = "83FE D340 7A93 9723 A5C6 39B2 6916 D505 C3B5"

// TestAMeterProcessJoinsByItsInstallCode at a hub that has the code in its device log: no
// certificate is made for the meter. With another code it is refused, in one line on each
// side, and no line has a code in it.
func TestAMeterProcessJoinsByItsInstallCode(t *testing.T) {
	t.Parallel()
	p := newProcesses(t)
	p.openBroker()
	p.hub()
	gsme := home.DefaultGSME.String()
	p.command("device", "add", gsme, "--kind", "GSME", "--install-code", meterCode)

	other := installcode.New([installcode.SecretSize]byte{0xBA, 0xDC, 0x0D, 0xE0})
	p.run("gsme", "meter", "gsme", "--broker", p.broker, "--install-code", hex.EncodeToString(other[:]))
	const refused = "no answer within 10s: do both sides have the same install code?"
	p.until("hub and meter have refused", func() bool {
		return p.logged("hub", "refused", gsme, refused) && p.logged("gsme", "refused", refused)
	})
	p.kill("gsme")
	p.run("gsme", "meter", "gsme", "--broker", p.broker, "--install-code", meterCode)
	p.until("the hub hears the meter", func() bool { _, heard := p.lastHeard(gsme); return heard })

	made, err := filepath.Glob(filepath.Join(p.dir, "state", "pki", gsme+".*")) // those with -ds and -ka are for messages
	if err != nil || len(made) > 0 {
		t.Errorf("the meter has a certificate: %v, %v", made, err)
	}
	secret := regexp.MustCompile(`(?i)83.?FE.?D3|BADC0DE0`)
	for role, name := range p.logs {
		log, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if found := secret.Find(log); found != nil {
			t.Errorf("the log of %s has %q", role, found)
		}
	}
	if list := p.command("device", "list", "--json"); secret.Match(list) {
		t.Errorf("the list has the code:\n%s", list)
	}
}
