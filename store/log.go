package store

import (
	"context"
	"net/url"

	"github.com/ncruces/go-sqlite3"
)

// noteLog has the writer's connection say at each commit how many pages the log holds, instead
// of copying a long log into the database itself, while whoever commits waits.
func (s *Store) noteLog() {
	w := &s.write
	w.logged = 0
	w.c.db.WALHook(func(_ *sqlite3.Conn, _ string, pages int) error {
		w.logged = pages
		return nil
	})
	w.c.committed = s.shortenLog
}

// shortenLog keeps the log short, with the writer's lock held. At logPagesSoon the log is copied
// into the database beside whoever writes; the write that finds all of it copied begins it anew.
// If that does not keep up, the writer copies the rest itself at logPagesMax. What fails is tried
// again behind later commits: nothing is lost but room on the disk.
func (s *Store) shortenLog() {
	w := &s.write
	switch {
	case w.scrub && !w.stuck: // the log is cut right behind this
	case w.logged < logPagesSoon:
		w.copyAt = logPagesSoon
	case w.logged >= logPagesMax:
		w.c.db.WALCheckpoint("main", sqlite3.CHECKPOINT_PASSIVE)
	case w.logged >= w.copyAt && w.copying.CompareAndSwap(false, true):
		w.copyAt = w.logged + logPagesAgain
		path, seal := s.profile.databasePath(s.slot), s.seal.name
		w.copies.Go(func() {
			defer w.copying.Store(false)
			copyLog(path, seal)
		})
	}
}

// copyLog copies the log of the database at path into it, on a connection of its own, and what
// is written meanwhile, until it has caught up.
func copyLog(path, vfs string) error {
	name := url.URL{Scheme: "file", OmitHost: true, Path: path}
	name.RawQuery = url.Values{"vfs": {vfs}, "mode": {"rw"}}.Encode()
	ctx := sqlite3.WithMaxMemory(context.Background(), connectionMemoryMax)
	db, err := sqlite3.OpenContext(ctx, name.String())
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.Exec("PRAGMA schema_version"); err != nil { // the log is opened by the first read
		return err
	}
	for range logCopiesMax {
		logged, copied, err := db.WALCheckpoint("main", sqlite3.CHECKPOINT_PASSIVE)
		if err != nil || logged == copied {
			return err
		}
	}
	return nil
}
