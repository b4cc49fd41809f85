package taskspec

import "testing"

// taskOf300Bytes is what an ordinary submission looks like on the dispatch path.
const taskOf300Bytes = `{"name":"resize-images","description":"make thumbnails","spec":{"type":"command",` +
	`"process_target":"convert","args":["in.png","-resize",640,"out.png"],"timeout":30,` +
	`"env":{"MAGICK_THREAD_LIMIT":"1","LANG":"C"},"working_dir":"/srv/images","reserved_policy_on_error":"requeue"},` +
	`"metadata":{"tags":["images"]}}`

func BenchmarkDecode(b *testing.B) {
	data := []byte(taskOf300Bytes)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(data); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDispatch is all that a manager does to a spec before it runs.
func BenchmarkDispatch(b *testing.B) {
	data := []byte(taskOf300Bytes)
	b.ReportAllocs()
	for b.Loop() {
		s, err := DecodeValid(data, Rules{Template: true, Cores: 2})
		if err != nil {
			b.Fatal(err)
		}
		s = s.Resolve("1763740800000000000", "/srv")
		if len(s.Unsupported()) > 0 {
			b.Fatal("unsupported")
		}
		_ = s.Redacted()
	}
}

func BenchmarkCommandItem(b *testing.B) {
	const body = `{"args":["--verbose",3],"stdin":"two lines\nof text\n"}`
	b.ReportAllocs()
	for b.Loop() {
		if _, err := CommandItem(body); err != nil {
			b.Fatal(err)
		}
	}
}
