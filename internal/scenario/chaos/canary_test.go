//go:build canary

package chaos

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/commshub/commshub/internal/scenario/homefile"
	"github.com/commshub/commshub/internal/scenario/judge"
	"github.com/commshub/commshub/internal/scenario/play"
)

// root is the checkout.
const root = "../../.."

// canaries are faults that are planted one at a time, as the compiler reads the file,
// and the promise that each breaks. The text that is replaced is there once.
var canaries = []struct {
	name, file, text, planted string
	breaks                    judge.Promise
}{
	{"the register starts anew at each boot", "devices/metrology/metrology.go",
		"u.since = time.UnixMicro(int64(le.Uint64(b[20:]))).UTC()", "u.since = now", judge.RegisterRises},
	{"a message put again is taken for another", "hub/headend/inbox.go",
		"if s.store.InInbox(eui, message) {\n\t\treturn nil\n\t}\n", "", judge.MessageOnce},
	{"boots of an image on trial are not counted", "devices/bootloader/boot.go",
		"c.TrialBoots++\n", "", judge.MeterRuns},
	{"the supplier does not hear of a message that expired", "gasproxy/mailbox.go",
		"errors.Join(failed, p.hub.MessageExpired(now, out, eui, m))", "errors.Join(failed)", judge.OrderEnds},
}

// maxLines is how long a scenario may be that shows a planted fault.
const maxLines = 12

// TestPlantedFaultsAreFound, and shrunk to a scenario that fails with the fault, and
// passes without it.
func TestPlantedFaultsAreFound(t *testing.T) {
	for _, c := range canaries {
		t.Run(c.name, func(t *testing.T) {
			commshub := plant(t, c.file, c.text, c.planted)
			var stderr bytes.Buffer
			cmd := exec.Command(commshub, "sim", "chaos", "--seeds", "400", "--json")
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			var r Report
			if jsonErr := json.Unmarshal(out, &r); jsonErr != nil || err == nil {
				t.Fatalf("sim chaos: error %v, %v\n%s", err, jsonErr, stderr.String())
			}
			for _, f := range r.Findings {
				if f.What == c.breaks.String() {
					shows(t, commshub, f)
					return
				}
			}
			t.Errorf("not found: %+v", r.Findings)
		})
	}
}

// shows holds a finding's scenario against the command with the fault, and the machines
// without it.
func shows(t *testing.T, commshub string, f *Finding) {
	t.Logf("in %d of 400 homes:\n%s", f.Seeds, f.Scenario)
	if lines := strings.Count(f.Scenario, "\n"); lines > maxLines {
		t.Errorf("%d lines, want %d at most", lines, maxLines)
	}
	file := filepath.Join(t.TempDir(), "found.yaml")
	if err := os.WriteFile(file, []byte(f.Scenario), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(commshub, "sim", "run", file).CombinedOutput()
	if err == nil || !strings.Contains(string(out), f.What) {
		t.Errorf("the scenario does not show it: error %v\n%s", err, out)
	}
	home, err := homefile.Parse(file, []byte(f.Scenario))
	if err != nil {
		t.Fatal(err)
	}
	stage, err := play.NewImages().Stage(home, ".")
	if err != nil {
		t.Fatal(err)
	}
	result, err := stage.Play(f.Seed, play.Options{Judge: true})
	if err != nil || len(result.Broken) > 0 {
		t.Errorf("without the fault: %v, error %v", result.Broken, err)
	}
}

// plant builds the command with a fault in one file.
func plant(t *testing.T, file, text, planted string) (commshub string) {
	t.Helper()
	whole, err := filepath.Abs(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), text); n != 1 {
		t.Fatalf("%s: %q is there %d times, want once", file, text, n)
	}
	dir := t.TempDir()
	overlay := filepath.Join(dir, "overlay.json")
	put := filepath.Join(dir, "planted.go")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {whole: put}})
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{put: []byte(strings.Replace(string(source), text, planted, 1)), overlay: replace} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	commshub = filepath.Join(dir, "commshub")
	build := exec.Command("go", "build", "-overlay", overlay, "-o", commshub, "./cmd/commshub")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return commshub
}
