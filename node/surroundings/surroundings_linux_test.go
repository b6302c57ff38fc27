package surroundings

import (
	"strings"
	"testing"
)

func TestCoreRow(t *testing.T) {
	for _, tt := range []struct {
		pattern  string
		dumpable bool
		limit    uint64
		code     string
		detail   string
	}{
		{"core", true, 0, "core_none", ""},
		{"core.%p", true, 1 << 20, "core_file", "core.%p"},
		{"|/usr/lib/systemd/systemd-coredump %P %u", true, 0, "core_program", "/usr/lib/systemd/systemd-coredump"},
		{"|/usr/lib/systemd/systemd-coredump %P %u", false, 0, "core_none", ""},
	} {
		if r := coreRow(tt.pattern, tt.dumpable, tt.limit); r.Code != tt.code || r.Detail != tt.detail || r.Warn == (tt.code == "core_none") {
			t.Errorf("%q, %v, %d: %+v", tt.pattern, tt.dumpable, tt.limit, r)
		}
	}
}

func TestSwapDevices(t *testing.T) {
	const list = "Filename Type Size Used Priority\n/dev/zram0 partition 1 0 100\n/dev/sda2 partition 1 0 -2\n/swapfile file 1 0 -3\n"
	if got := strings.Join(swapDevices(strings.NewReader(list)), " "); got != "/dev/sda2 /swapfile" {
		t.Errorf("got %s", got)
	}
}
