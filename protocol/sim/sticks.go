package sim

import (
	"bytes"
	"slices"
	"time"

	"pabal/protocol"
	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// stick is a bundle file that somebody carries.
type stick struct {
	by   *machine
	to   *machine // nil: nobody of this world
	file []byte
}

// carryFile has a person export a file for a contact and hand it to somebody.
func (w *World) carryFile(m *machine) {
	if !m.present() {
		return
	}
	c, ok := w.someContact(m)
	if !ok {
		return
	}
	m.command(func(ref uint64) protocol.Input {
		return protocol.ExportBundle{Ref: ref, Contact: c.ID}
	}, func(result any, code string) {
		out, made := result.(protocol.BundleExported)
		if !made {
			return // refused, or the contact is gone meanwhile
		}
		w.checkFile(m, out.File)
		s := stick{by: m, to: w.truth.accounts[c.Account], file: out.File}
		w.sticks = append(w.sticks[max(0, len(w.sticks)-sticksMax+1):], s)
		w.after(w.about(4*time.Hour), func() { w.plugIn(s) })
		for range 2 { // old ones turn up again, in any order
			if old, ok := pick(w, w.sticks); ok && w.chance(30) {
				w.after(w.about(24*time.Hour), func() { w.plugIn(old) })
			}
		}
	})
}

// checkFile looks for anything in a file that must not be seen, or was in another one.
func (w *World) checkFile(m *machine, file []byte) {
	hash := identity.Hash(file)
	w.note(m, "file", hash[:])
	if !slices.Contains(wire.BundleFileSizes(), len(file)) {
		w.fail("%v: a file has %d bytes", m, len(file))
	}
	for _, secret := range append([][]byte{[]byte(marker)}, m.secrets...) {
		if bytes.Contains(file, secret) {
			w.fail("%v: a file shows what is in it", m)
		}
	}
	for _, s := range w.sticks {
		if bytes.Equal(s.file[:16], file[:16]) || bytes.Equal(s.file[len(s.file)-16:], file[len(file)-16:]) {
			w.fail("%v: two files have bytes in common", m)
		}
	}
}

// plugIn has somebody import a file: mostly who it is for, at times whoever it falls to,
// or a file that has suffered on the way.
func (w *World) plugIn(s stick) {
	if w.healing {
		return
	}
	m, file, whole := s.to, bytes.Clone(s.file), true
	if w.chance(15) {
		m = w.machines[w.random.IntN(len(w.machines))]
	}
	if w.chance(10) {
		file, whole = w.damage(frame{body: file}).body, false
	}
	if m == nil || !m.present() {
		return
	}
	m.command(func(ref uint64) protocol.Input {
		return protocol.ImportBundle{Ref: ref, File: file}
	}, func(_ any, code string) {
		w.log("%v   imports a file of %v for %v: %q", m, s.by, s.to, code)
		want := []string{protocol.CodeBundleNotForYou, protocol.CodeBundleOutdated, protocol.CodeBlocked, ""}
		switch {
		case m == s.by:
			want = []string{protocol.CodeBundleOwn, protocol.CodeBundleNotForYou}
		case m != s.to:
			want = []string{protocol.CodeBundleNotForYou}
		}
		if !whole {
			want = append(slices.DeleteFunc(want, func(code string) bool { return code == "" }), protocol.CodeBundleMalformed)
		}
		if !slices.Contains(want, code) {
			w.fail("%v: a file of %v for %v is answered by %q", m, s.by, s.to, code)
		}
	})
}
