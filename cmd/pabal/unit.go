package main

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode"

	"pabal/cmd/pabal/speech"
)

const (
	// systemHome is where the profiles of system units lie, unless --home says otherwise.
	systemHome = "/var/lib/pabal"
	// unitNameBytesMax is the longest name that systemd takes.
	unitNameBytesMax = 255
	// lowPortMax is the highest port that only a privileged process may listen on.
	lowPortMax = 1023
	// unitDescription begins the second line of every unit: by that it is known for ours.
	unitDescription = "Description=Pabal messenger, profile "
	// credentialName is what the unit calls the sealed passphrase.
	credentialName = "passphrase"
)

// unit is what a systemd unit of one profile says. Its paths are absolute and pass [unfit].
type unit struct {
	system     bool // else of a user
	profile    string
	program    string
	home       string // --home; empty: the XDG directories of the user
	dataHome   string // XDG_DATA_HOME of a unit without home; empty: the default
	sharedTmp  bool   // the socket's path is too long for the profile, so that it lies in /tmp
	listen     []netip.AddrPort
	lan        bool
	courier    bool
	credential string // a file of systemd-creds, only of a system unit; empty: none
}

// name returns the unit's name: pabal.service for the default profile. What systemd does not
// take as it is stands as \x and two hexadecimal digits.
func (u *unit) name() string {
	if u.profile == defaultProfile {
		return "pabal.service"
	}
	var b strings.Builder
	for _, c := range []byte(u.profile) {
		if c < 0x80 && (unicode.IsLetter(rune(c)) || unicode.IsDigit(rune(c)) || strings.ContainsRune("-_.", rune(c))) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, `\x%02x`, c)
		}
	}
	return "pabal-" + b.String() + ".service"
}

// check refuses what cannot stand in a unit.
func (u *unit) check() error {
	for _, path := range []string{u.program, u.home, u.dataHome, u.credential} {
		if strings.ContainsFunc(path, unfit) {
			return fail(exitUsage, "unit_unfit", speech.UnitUnfit, path)
		}
	}
	if len(u.name()) > unitNameBytesMax {
		return fail(exitUsage, "unit_unfit", speech.UnitUnfit, u.profile)
	}
	if u.credential != "" && !u.system {
		return fail(exitUsage, "credential_unfit", speech.CredentialNeedsSystem)
	}
	return nil
}

// unfit reports whether a character has a meaning of its own in some line of a unit. A
// percent sign has one, too, but can be written twice.
func unfit(r rune) bool { return unicode.IsControl(r) || strings.ContainsRune(`"'\$:`, r) }

// quote writes a word of a unit.
func quote(s string) string { return `"` + strings.ReplaceAll(s, "%", "%%") + `"` }

// placeOf reads in the text of a unit where its profile lies: --home and XDG_DATA_HOME, each
// empty if the unit does not say.
func placeOf(text string) (home, dataHome string) {
	for line := range strings.Lines(text) {
		word, from := "", ""
		switch {
		case strings.HasPrefix(line, "ExecStart="):
			_, from, _ = strings.Cut(line, ` --home "`)
			word, _, _ = strings.Cut(from, `"`)
			home = strings.ReplaceAll(word, "%%", "%")
		case strings.HasPrefix(line, `Environment="XDG_DATA_HOME=`):
			_, from, _ = strings.Cut(line, `XDG_DATA_HOME=`)
			word, _, _ = strings.Cut(from, `"`)
			dataHome = strings.ReplaceAll(word, "%%", "%")
		}
	}
	return home, dataHome
}

// command is the line that starts the daemon. A profile that is not there yet waits for
// pabal setup, a locked one for pabal unlock.
func (u *unit) command() string {
	words := []string{quote(u.program)}
	if u.home != "" {
		words = append(words, "--home", quote(u.home))
	}
	words = append(words, "--profile", quote(u.profile), "run", "--setup-later")
	for _, l := range u.listen {
		words = append(words, "--listen", quote(l.String()))
	}
	if u.lan {
		words = append(words, "--lan")
	}
	if u.courier {
		words = append(words, "--courier")
	}
	if u.credential != "" {
		words = append(words, "--passphrase-file", "%d/"+credentialName)
	}
	return strings.Join(words, " ")
}

// text is the whole unit.
func (u *unit) text() string {
	lines := []string{"[Unit]", unitDescription + u.profile}
	target := "default.target"
	if u.system {
		target = "multi-user.target"
		lines = append(lines, "Wants=network-online.target", "After=network-online.target")
	}
	lines = append(lines, "", "[Service]", "Type=exec", "ExecStart="+u.command(),
		"Restart=on-failure", "RestartSec=5",
		fmt.Sprintf("RestartPreventExitStatus=%d %d %d", exitUsage, exitLocked, exitConflict), // trying again mends none of these
		"TimeoutStopSec=30", "UMask=0077")
	if u.dataHome != "" && u.home == "" {
		lines = append(lines, "Environment="+quote("XDG_DATA_HOME="+u.dataHome))
	}
	lines = append(lines, u.hardening()...)
	if u.system {
		lines = append(lines, u.shielding()...)
	}
	return strings.Join(append(lines, "", "[Install]", "WantedBy="+target, ""), "\n")
}

// hardening works in every unit, without any privilege. Memory that is written is never run:
// the database engine is translated to Go, and nothing compiles at run time.
func (u *unit) hardening() []string {
	return []string{
		"NoNewPrivileges=yes", "LockPersonality=yes", "MemoryDenyWriteExecute=yes", "RestrictNamespaces=yes",
		"RestrictRealtime=yes", "RestrictSUIDSGID=yes", "SystemCallArchitectures=native",
		"RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK", // netlink: to see the addresses of the machine
		"SystemCallFilter=@system-service", "SystemCallErrorNumber=EPERM",
		"LimitCORE=0", "MemorySwapMax=0", // keys must not reach a dump or the swap
	}
}

// shielding needs a system unit: in one of a user it would take user namespaces, which many
// systems refuse, and the daemon would not start there. The daemon stays root, because the
// owner of its socket is whoever has its user id, but a root that may do nothing that root may.
func (u *unit) shielding() []string {
	capabilities := ""
	for _, l := range u.listen {
		if p := l.Port(); p > 0 && p <= lowPortMax {
			capabilities = "CAP_NET_BIND_SERVICE"
		}
	}
	lines := []string{
		"CapabilityBoundingSet=" + capabilities, "AmbientCapabilities=", "KeyringMode=private", "PrivateDevices=yes",
		"ProtectClock=yes", "ProtectControlGroups=yes", "ProtectHostname=yes", "ProtectKernelLogs=yes",
		"ProtectKernelModules=yes", "ProtectKernelTunables=yes", "ProtectProc=invisible", "RemoveIPC=yes",
		"ProtectSystem=strict", "ProtectHome=tmpfs", "BindReadOnlyPaths=" + quote(u.program),
	}
	if u.sharedTmp {
		lines = append(lines, "ReadWritePaths=/tmp")
	} else {
		lines = append(lines, "PrivateTmp=yes")
	}
	if u.home == systemHome {
		lines = append(lines, "StateDirectory=pabal/"+u.profile, "StateDirectoryMode=0700")
	} else {
		own := quote(u.home + "/" + u.profile)
		lines = append(lines, "BindPaths="+own, "ReadWritePaths="+own)
	}
	if u.credential != "" {
		lines = append(lines, "LoadCredentialEncrypted="+quote(credentialName+":"+u.credential))
	}
	return lines
}
