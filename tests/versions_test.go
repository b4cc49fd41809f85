//go:build linux

package weft_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"weft"
)

// TestOwnFunctions is a program that serves while others with the same function come and
// replace its file: it runs its own. When it has gone, the newest that is there runs.
func TestOwnFunctions(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	dir := t.TempDir()
	program := func(name, version string) *exec.Cmd {
		path := filepath.Join(dir, name)
		if out, err := exec.CommandContext(p.ctx, "go", "build", "-ldflags", "-X main.version="+version, "-o", path, "./testdata/versions").CombinedOutput(); err != nil {
			t.Fatalf("build: %v\n%s", err, out)
		}
		cmd := exec.CommandContext(p.ctx, path, p.dir)
		cmd.Env = append(os.Environ(), p.mark(), "SETTING=of-"+version)
		return cmd
	}
	called := func(what, want string) {
		t.Helper()
		c, _ := p.run(weft.Function("version"))
		if res := c.answer(); res.Output != want {
			t.Errorf("%s: got %q (%s), want %q", what, res.Output, res.Reason, want)
		}
	}

	service, tool := program("service", "v1"), program("tool", "v2")
	service.Args = append(service.Args, "serve")
	in, err := service.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := service.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	service.Stderr = os.Stderr
	if err := service.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("got %q, %v", line, err)
	}
	called("it serves", `"v1 of-v1"`)
	if out, err := tool.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	called("another program has opened the project", `"v1 of-v1"`)
	if err := os.Remove(service.Path); err != nil {
		t.Fatal(err)
	}
	called("its file has gone", `"v1 of-v1"`)
	program("service", "v3")
	called("its file is that of the next version", `"v1 of-v1"`)

	in.Close()
	if err := service.Wait(); err != nil {
		t.Fatal(err)
	}
	called("it has stopped", `"v2 "`) // with the environment of the manager's starter
	if err := os.Remove(tool.Path); err != nil {
		t.Fatal(err)
	}
	called("the newest program has gone", `"v3 "`)
}
