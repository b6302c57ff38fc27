package protocol

import (
	"io"
	"slices"
	"strings"
	"time"

	"pabal/protocol/attachment"
	"pabal/protocol/wire"
)

// Chunks of files go on streams of their own, which the core does not see. It says what a
// manifest holds, which files are fetched by themselves, and who may fetch from us.

// The codes of files that do not come.
const (
	FileCodeGone    = "file_gone"    // the other side does not have it any more
	FileCodeDamaged = "file_damaged" // what came was not what its message promised
)

// FileToSend is a file that lies here whole, and what is said of it.
type FileToSend struct {
	ID   FileID
	File wire.File // its Key is made when it is sent
}

// composedFiles is what a manifest says, without the keys of its files.
func composedFiles(in SendText) (content wire.Content, err error) {
	if len(in.Files) > wire.FilesMax {
		return content, refuse(CodeTooMany)
	}
	content = wire.Content{Type: wire.ContentManifest, Mentions: in.Mentions, Forwarded: in.Forwarded}
	if strings.TrimSpace(in.Text) != "" {
		if content.Text, err = cleanText(in.Text); err != nil {
			return content, err
		}
	}
	for _, f := range in.Files {
		f.File.Name = attachment.CleanName(f.File.Name)
		if !f.File.Valid() {
			return content, refuse(CodeInvalidFile)
		}
		content.Files = append(content.Files, f.File)
	}
	fitThumbnails(&content)
	return content, nil
}

// keyFiles makes the keys of a manifest's files. Every file gets a key of its own in every
// message: the same file sent twice does not look the same on the wire.
func (p *Peer) keyFiles(content *wire.Content, files []FileToSend) (local []MessageFile, err error) {
	for i, f := range files {
		if _, err := io.ReadFull(p.random, content.Files[i].Key[:]); err != nil {
			return nil, errRandom
		}
		local = append(local, MessageFile{ID: f.ID})
	}
	return local, nil
}

// fitThumbnails drops the thumbnails, of the last files first, for which a manifest has no
// room beside its caption and its files' names.
func fitThumbnails(content *wire.Content) {
	room := wire.ContentBytesMax - manifestFixedMax - len(content.Text)
	for i := range content.Files {
		f := &content.Files[i]
		room -= fileFixedMax + len(f.Name) + len(f.MediaType) + len(f.Waveform)
	}
	for i := range content.Files {
		f := &content.Files[i]
		if len(f.Thumbnail) > room {
			f.Thumbnail = nil
		}
		room -= len(f.Thumbnail)
	}
}

// incomingFiles names the files of a message that has come. Small ones are fetched without
// asking.
func (p *Peer) incomingFiles(now time.Time, content *wire.Content) (files []MessageFile, err error) {
	for _, f := range content.Files {
		id, err := p.newID(now)
		if err != nil {
			return nil, err
		}
		files = append(files, MessageFile{ID: id, Wanted: f.SizeBytes <= FileWantedBytesMax})
	}
	return files, nil
}

// FilePath is a connection on which files go.
type FilePath struct {
	Conn    ConnID
	Relayed bool // only files up to FileRelayedBytesMax
}

// FilePathTo returns on what connection a contact's files are to be asked for. It returns
// false if there is none, or nothing may be asked of the contact.
func (p *Peer) FilePathTo(id ContactID) (FilePath, bool) {
	c := p.contacts[id]
	if c == nil || !c.takesFiles() {
		return FilePath{}, false
	}
	var best *conn
	for _, k := range c.conns {
		if !k.leaving() && (best == nil || best.relayed && !k.relayed) {
			best = k
		}
	}
	if best == nil {
		return FilePath{}, false
	}
	return FilePath{Conn: best.id, Relayed: best.relayed}, true
}

// FilesFor returns whose files may be asked for on a connection: the contact to whom it is
// a path. Messages to that contact, and nothing else, say which.
func (p *Peer) FilesFor(id ConnID) (contact ContactID, relayed, ok bool) {
	k := p.conns[id]
	if k == nil || !k.proved || !k.path() || !k.contact.takesFiles() {
		return ContactID{}, false, false
	}
	return k.contact.row.ID, k.relayed, true
}

// takesFiles reports whether files go between us and a contact. One whose devices have changed
// since it was verified gets and brings none until the user has said so.
func (c *contact) takesFiles() bool {
	return c.row.Role == RolePerson && !c.row.Blocked && c.row.Phase == ContactEstablished && c.row.Verification != VerifiedChanged
}

// filesStir keeps a connection on which only chunks go from counting as idle, or has a
// contact tried whose files wait.
func (p *Peer) filesStir(now time.Time, in FilesStir) {
	c := p.contacts[in.Contact]
	if c == nil || !c.takesFiles() {
		return
	}
	if k := p.conns[in.Conn]; k != nil && k.contact == c {
		k.used = now
		return
	}
	if in.Conn == 0 && !slices.ContainsFunc(c.conns, func(k *conn) bool { return !k.relayed }) {
		c.wanted = true
		p.stir(c)
	}
}
