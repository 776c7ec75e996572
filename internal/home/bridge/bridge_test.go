package bridge

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestConfigurationsOfTheBridgePage reads each configuration in
// docs/bridge.md.
func TestConfigurationsOfTheBridgePage(t *testing.T) {
	text, err := os.ReadFile("../../../docs/bridge.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "\n```yaml\n")[1:]
	if len(blocks) < 2 {
		t.Fatalf("%d configurations", len(blocks))
	}
	t.Chdir(t.TempDir())
	for _, block := range blocks {
		config, _, closed := strings.Cut(block, "\n```")
		if !closed {
			t.Fatal("a configuration has no end")
		}
		if !strings.Contains(config, "broker:") {
			config = "broker: {url: mqtt://127.0.0.1:1883}\n" + config
		}
		for line := range strings.Lines(config) {
			if _, name, found := strings.Cut(line, "password-file: "); found {
				write(t, strings.Fields(name)[0], "secret\n")
			}
		}
		write(t, "bridge.yaml", config)
		if _, err := Read(t.Context(), "bridge.yaml"); err != nil {
			t.Errorf("%v in\n%s", err, config)
		}
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Clean(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
