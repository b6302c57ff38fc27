package httpd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"pabal/node/api"
)

// writeDiscovery replaces the discovery file at once: a reader sees the old one,
// the new one or none.
func writeDiscovery(dir string, d api.Discovery) error {
	b, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return fmt.Errorf("write discovery file: %w", err)
	}
	f, err := os.CreateTemp(dir, ".api-*")
	if err != nil {
		return fmt.Errorf("write discovery file: %w", err)
	}
	_, err = f.Write(append(b, '\n'))
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, api.DiscoveryFile))
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("write discovery file: %w", err)
	}
	return nil
}

// removeDiscovery removes the discovery file if it is still ours.
func removeDiscovery(dir string) error {
	path := filepath.Join(dir, api.DiscoveryFile)
	d, err := api.ReadDiscovery(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && d.PID != os.Getpid() {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove discovery file: %w", err)
	}
	return nil
}
