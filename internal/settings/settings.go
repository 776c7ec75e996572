// Package settings fills in flags that are not on the command line, from the environment
// and from a file.
package settings

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/commshub/commshub/internal/inputfile"
)

// maxFile is how many bytes a configuration file may have.
const maxFile = 1 << 20

// Fill sets the flags that were not given: from environment variables, whose names begin
// with a prefix, and from the YAML file at path, if there is one. elsewhere tells whether
// a key of the file is of another command: one file serves them all. The error is one line
// that names the variable, or the file and the key. When the context ends, reading ends.
func Fill(ctx context.Context, flags *pflag.FlagSet, prefix, path string, elsewhere func(key string) bool) error {
	file, err := read(ctx, path)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	var failed error
	flags.VisitAll(func(f *pflag.Flag) {
		known[f.Name] = true
		if f.Changed || failed != nil {
			return
		}
		source, value, ok := lookUp(prefix, f.Name, file)
		if !ok {
			return
		}
		if err := flags.Set(f.Name, value); err != nil {
			failed = fmt.Errorf("%s: %w", source, err)
		}
	})
	if failed != nil {
		return failed
	}
	for key := range file {
		if !known[key] && !elsewhere(key) {
			return fmt.Errorf("%s: unknown key %q", path, key)
		}
	}
	return nil
}

// lookUp returns what the environment or the file says of a flag. What is empty there
// says nothing, so that a variable without a value cannot move the state folder.
func lookUp(prefix, name string, file map[string]string) (source, value string, ok bool) {
	env := prefix + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	if v := os.Getenv(env); v != "" {
		return env, v, true
	}
	v := file[name]
	return name, v, v != ""
}

func read(ctx context.Context, path string) (map[string]string, error) {
	if path == "" {
		return nil, nil
	}
	text, err := inputfile.Read(ctx, path, maxFile)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	var file map[string]string
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("read configuration %s: %w", path, err)
	}
	return file, nil
}
