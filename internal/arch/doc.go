// Package arch guards what the project has decided about its own source and
// what no compiler checks. It has no code of its own, only tests that parse
// every Go file of the module, whatever system a file is for:
//
//   - which package may import which, and what may be linked into cmd/weft;
//   - that only broker/sqlite touches the database files, because opening and
//     closing one of them by other means drops SQLite's locks and loses
//     acknowledged rows;
//   - that modernc.org/libc has the version its SQLite was generated for;
//   - that nothing sleeps where it could wait for an event, that nothing is
//     left unimplemented, that no library package has an init, that packages
//     are named for a thing, and that files and types stay small.
//
// A finding says what to do. What is right all the same goes into
// allowed_test.go with its reason; an entry that is no longer needed fails
// too. Modules below the root (tools, bench) are looked at by .ci/run only.
package arch
