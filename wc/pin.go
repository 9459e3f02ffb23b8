package wc

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
	"zombiezen.com/go/sqlite"
)

// pin holds a live wc.db against writers while a stage made from it exists:
// a BEGIN IMMEDIATE takes SQLite's RESERVED lock, under which svn still reads
// and its writers wait. A writer that still waits when [stage.publish]
// renames a new database over the old one fails with "readonly database":
// SQLite notices that its file has moved (SQLITE_READONLY_DBMOVED).
type pin struct {
	conn *sqlite.Conn
	file *os.File // closing any descriptor of the file drops the locks, fcntl(2)
}

// pinDB locks the database at path.
func pinDB(path string) (*pin, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return nil, err
	}
	conn.SetBusyTimeout(10 * time.Second)
	if err := query(conn, "BEGIN IMMEDIATE", nil); err != nil {
		conn.Close()
		if sqlite.ErrCode(err).ToPrimary() == sqlite.ResultBusy {
			return nil, Refuse("another svn is writing %s", path)
		}
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &pin{conn, f}, nil
}

// copyTo writes a copy of the database: nobody writes it while it is pinned.
func (p *pin) copyTo(path string) error { return cloneFile(path, p.file) }

func (p *pin) release() {
	if p == nil {
		return
	}
	_ = query(p.conn, "ROLLBACK", nil) // nothing was written
	p.conn.Close()
	p.file.Close()
}
