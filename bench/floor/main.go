// Floor is the least that a client of a store can do: a program with the
// parser of a command line and the database driver linked in opens a store
// that somebody else holds open, inserts one message and ends. It does nothing
// of Weft's. What a real client costs beyond it is Weft's own doing.
//
//	floor --store FILE [--durability normal] [MESSAGE]
//
// With --hold it then waits for the end of its standard input, which shows what
// such a program costs that only waits.
package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"

	"github.com/alecthomas/kong"
	"github.com/jmoiron/sqlx"
	"modernc.org/sqlite"
)

// grammar is the command line, as small as one can be.
type grammar struct {
	Store      string `required:"" help:"The database."`
	Durability string `enum:"full,normal" default:"full" help:"When a write is safe."`
	Hold       bool   `help:"Wait for the end of the standard input."`
	Message    string `arg:"" optional:"" help:"The message to insert."`
}

func main() {
	var g grammar
	kong.Parse(&g)
	if err := run(g); err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}

func run(g grammar) error {
	if _, err := sqlite.OFDLocking(true); err != nil {
		return err
	}
	u := url.URL{Scheme: "file", Path: g.Store, RawQuery: "_pragma=busy_timeout(5000)&_pragma=synchronous(" + g.Durability + ")"}
	db, err := sqlx.Open("sqlite", u.String())
	if err != nil {
		return err
	}
	defer db.Close()
	const insert = `INSERT INTO messages (id, queue, body) VALUES (?, 'floor', ?)`
	if _, err := db.ExecContext(context.Background(), insert, time.Now().UnixNano(), g.Message); err != nil {
		return err
	}
	if g.Hold {
		fmt.Println("ready")
		_, err = io.Copy(io.Discard, os.Stdin)
	}
	return err
}
