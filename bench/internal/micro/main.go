package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"sort"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"modernc.org/sqlite"
)

func main() {
	if os.Args[1] == "parent" {
		n, _ := strconv.Atoi(os.Args[3])
		all := map[string][]float64{}
		var order []string
		for range n {
			out, err := exec.Command("/proc/self/exe", "child", os.Args[2]).Output()
			if err != nil {
				panic(err)
			}
			for _, l := range strings.Split(strings.TrimSpace(string(out)), "\n") {
				f := strings.Fields(l)
				v, _ := strconv.ParseFloat(f[1], 64)
				if all[f[0]] == nil {
					order = append(order, f[0])
				}
				all[f[0]] = append(all[f[0]], v)
			}
		}
		for _, k := range order {
			sort.Float64s(all[k])
			fmt.Printf("%-22s p10 %6.0f p50 %6.0f us\n", k, all[k][len(all[k])/10], all[k][len(all[k])/2])
		}
		return
	}
	sqlite.OFDLocking(true)
	ctx := context.Background()
	t := time.Now()
	lap := func(name string) { fmt.Println(name, float64(time.Since(t).Microseconds())); t = time.Now() }
	db, _ := sql.Open("sqlite", "file:"+os.Args[2]+"?_dqs=0&_defensive=1&_pragma=busy_timeout(0)&_pragma=journal_size_limit(8388608)&_pragma=synchronous(normal)")
	c, err := db.Conn(ctx)
	if err != nil {
		panic(err)
	}
	lap("open")
	var n int64
	c.QueryRowContext(ctx, "PRAGMA application_id").Scan(&n)
	lap("application_id")
	c.QueryRowContext(ctx, "PRAGMA user_version").Scan(&n)
	lap("user_version")
	prep := func(name, q string) *sql.Stmt {
		s, err := c.PrepareContext(ctx, q)
		if err != nil {
			panic(err)
		}
		lap("prepare_" + name)
		return s
	}
	b := prep("begin", "BEGIN IMMEDIATE")
	ins := prep("insert", `INSERT INTO messages (id, queue, body) VALUES (
		max(?1, coalesce((SELECT max(id) FROM messages), 0) + 1, (SELECT last FROM meta) + 1), ?2, ?3)`)
	get := prep("getRecord", `SELECT kind, key, state, rank, body FROM record WHERE kind = ?1 AND key = ?2`)
	put := prep("putRecord", `INSERT INTO record (kind, key, state, rank, body) VALUES (?1, ?2, ?3, ?4, ?5)
		ON CONFLICT (kind, key) DO UPDATE SET state = ?3, rank = ?4, body = ?5`)
	com := prep("commit", "COMMIT")
	peek := prep("peek", `SELECT id, queue, body FROM messages WHERE queue = ?1 AND id > ?2 AND id < ?3
		ORDER BY id LIMIT ?4`)
	del := prep("delete", `DELETE FROM messages WHERE id IN (SELECT id FROM messages WHERE queue = ?1 AND id > ?2 AND id < ?3 ORDER BY id LIMIT ?4)`)
	_, _ = peek, del
	body := strings.Repeat("x", 400)
	id := time.Now().UnixNano()
	rec := func() {
		var a, bb, cc, d, e string
		get.QueryRow("env", "x").Scan(&a, &bb, &cc, &d, &e)
	}
	b.Exec()
	lap("begin")
	ins.Exec(id, "weft.spawn.requests", body)
	lap("insert1")
	rec()
	lap("getRecord1")
	put.Exec("task", strconv.Itoa(int(id)), "created", id, body)
	lap("putRecord1")
	ins.Exec(id, "weft.log.tasks", body)
	lap("insert2")
	rec()
	lap("getRecord2")
	com.Exec()
	lap("commit")
	rec()
	lap("getRecord_alone")
	rec()
	lap("getRecord_alone_again")
	var x, y, z string
	peek.QueryRow("T1.outbox", 0, int64(1)<<62, 1).Scan(&x, &y, &z)
	lap("peek")
	del.Exec("T1.outbox", 0, int64(1)<<62, -1)
	lap("delete_nothing")
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts)
	fmt.Println("cpu", ts.Nano()/1000)
	os.Exit(0)
}
