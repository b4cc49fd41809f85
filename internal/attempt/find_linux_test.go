package attempt

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFind looks up programs in a folder that holds one of each kind.
func TestFind(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	bin, other, dir := filepath.Join(root, "bin"), filepath.Join(root, "other"), filepath.Join(root, "dir")
	for _, name := range []string{bin, other, dir, filepath.Join(bin, "folder"), filepath.Join(dir, "tools")} {
		if err := os.Mkdir(name, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for path, mode := range map[string]os.FileMode{
		"bin/tool": 0o755, "other/tool": 0o755, "other/only": 0o755, "dir/tools/local": 0o755, "dir/here": 0o755,
		"bin/plain": 0o644, "bin/later": 0o644, "other/later": 0o755, "bin/file": 0o755, "other/folder": 0o755,
	} {
		if err := os.WriteFile(filepath.Join(root, path), []byte("#!/bin/sh\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"bin/link": "tool", "bin/dangling": "none", "bin/loop": "loop"} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	both := bin + ":" + other
	const notFound, cannot = 127, 126
	for name, test := range map[string]struct {
		program, path string
		dir           string // below root, else dir
		want          string
		code          int
		reason        string
	}{
		"first in PATH":            {"tool", both, "", bin + "/tool", 0, ""},
		"second in PATH":           {"only", both, "", other + "/only", 0, ""},
		"a better one comes later": {"later", both, "", other + "/later", 0, ""},
		"a folder is no program":   {"folder", both, "", other + "/folder", 0, ""},
		"a link":                   {"link", both, "", bin + "/link", 0, ""},
		"a folder that is missing": {"tool", root + "/none:" + bin, "", bin + "/tool", 0, ""},
		"a file in PATH":           {"tool", bin + "/file:" + bin, "", bin + "/tool", 0, ""},
		"relative folder":          {"local", "tools", "", dir + "/tools/local", 0, ""},
		"empty folder":             {"here", "::", "", dir + "/here", 0, ""},
		"not in PATH":              {"nowhere", both, "", "", notFound, "nowhere: command not found"},
		"here and not in PATH":     {"here", both, "", "", notFound, "here: command not found"},
		"empty PATH":               {"tool", "", "", "", notFound, "tool: command not found"},
		"only of the process":      {"sh", bin, "", "", notFound, "sh: command not found"},
		"not executable":           {"plain", both, "", "", cannot, "plain: permission denied"},
		"only a folder":            {"folder", bin, "", "", cannot, "folder: is a directory"},
		"dangling link":            {"dangling", both, "", "", notFound, "dangling: command not found"},
		"link to itself":           {"loop", both, "", "", cannot, "loop: too many levels of symbolic links"},
		"path":                     {bin + "/tool", "", "", bin + "/tool", 0, ""},
		"relative path":            {"./here", "", "", dir + "/here", 0, ""},
		"path upward":              {"../bin/tool", "", "", bin + "/tool", 0, ""},
		"no such path":             {"./none", both, "", "", notFound, "./none: command not found"},
		"path through a file":      {"./here/none", "", "", "", cannot, "./here/none: not a directory"},
		"path to a folder":         {"../bin", "", "", "", cannot, "../bin: is a directory"},
		"path, not executable":     {"../bin/plain", "", "", "", cannot, "../bin/plain: permission denied"},
		"no such directory":        {"tool", both, "none", "", cannot, `working directory "` + root + `/none": no such directory`},
		"directory is a file":      {"tool", both, "bin/file", "", cannot, `working directory "` + root + `/bin/file": no such directory`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := dir
			if test.dir != "" {
				in = filepath.Join(root, test.dir)
			}
			path, failed := find(test.program, in, []string{"PATH=/none", "XPATH=" + bin, "PATH=" + test.path})
			if failed == nil {
				if path != test.want || test.code != 0 {
					t.Errorf("found %q, want %q", path, test.want)
				}
				return
			}
			if *failed.ReturnCode != test.code || failed.Error != test.reason {
				t.Errorf("got %d, %q; want %d, %q", *failed.ReturnCode, failed.Error, test.code, test.reason)
			}
		})
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	env := []string{"A=1", "AB=2", "A=", "=3", "C=x=y", "D"}
	for name, want := range map[string]string{"A": "", "AB": "2", "C": "x=y", "D": "", "E": "", "": "3"} {
		if got := Lookup(env, name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
}

// The kernel's reasons, as a person reads them.
func TestRefused(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"x: its interpreter does not exist": &os.PathError{Op: "fork/exec", Path: "/x", Err: unix.ENOENT},
		"x: exec format error":              &os.PathError{Op: "fork/exec", Path: "/x", Err: unix.ENOEXEC},
		"x: permission denied":              &os.PathError{Op: "fork/exec", Path: "/x", Err: unix.EACCES},
		"x: cannot allocate memory":         os.NewSyscallError("pipe2", unix.ENOMEM),
		"x: file already closed":            os.ErrClosed,
	} {
		if got := Refused("x", err); got.Error != want || *got.ReturnCode != 126 {
			t.Errorf("%v is %+v, want %q", err, got, want)
		}
	}
}

// TestFindWithoutPath finds what every system has although PATH is not set.
func TestFindWithoutPath(t *testing.T) {
	t.Parallel()
	path, failed := find("sh", t.TempDir(), []string{"HOME=/", "XPATH=/none"})
	if failed != nil || filepath.Base(path) != "sh" {
		t.Errorf("found %q, %+v", path, failed)
	}
}
