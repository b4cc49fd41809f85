package title

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestFormat(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		in   [5]string // root, TID, name, status, details
		want string
	}{
		{"plain", [5]string{"/home/u/shop", "1234567890", "report", "running", ""}, "weft-shop-1234567890:report:running"},
		{"details", [5]string{"/shop", "1", "report", "running", "3/10"}, "weft-shop-1:report:running:3/10"},
		{"no task", [5]string{"/shop", "", "manager", "idle", ""}, "weft-shop:manager:idle"},
		{"no name", [5]string{"/shop", "1", " ", "created", ""}, "weft-shop-1:task:created"},
		{"long root", [5]string{"/srv/a very.long_name", "1", "n", "s", ""}, "weft-averylon-1:n:s"},
		{"eight after the others are left out", [5]string{"/a b.c-d_e f g h", "1", "n", "s", ""}, "weft-abc-d_ef-1:n:s"},
		{"trailing slash", [5]string{"/shop/", "1", "n", "s", ""}, "weft-shop-1:n:s"},
		{"root of all", [5]string{"/", "1", "n", "s", ""}, "weft-proj-1:n:s"},
		{"no root", [5]string{"", "1", "n", "s", ""}, "weft-proj-1:n:s"},
		{"foreign root", [5]string{"/проект", "1", "n", "s", ""}, "weft-proj-1:n:s"},
		{"long parts", [5]string{"/shop", strings.Repeat("1", 30), strings.Repeat("n", 30), strings.Repeat("s", 30),
			strings.Repeat("d", 30)}, "weft-shop-11111111111111111111:nnnnnnnnnnnnnnnnnnnn:ssssssssssssssss:ddddddddddddddd"},
		{"forged", [5]string{"/shop", "1", "a:failed b", "running", "\x1b[31m\x00ü\xff"}, "weft-shop-1:a_failed_b:running:__31m___"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := Format(test.in[0], test.in[1], test.in[2], test.in[3], test.in[4]); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestFormatIsHarmlessAndFits(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^weft-[A-Za-z0-9_-]{1,8}(-[-\w.,+=%@/]{1,20})?:[-\w.,+=%@/]{1,20}:[-\w.,+=%@/]{0,16}(:[-\w.,+=%@/]{1,15})?$`)
	rapid.Check(t, func(t *rapid.T) {
		part := func(name string) string {
			return string(rapid.OneOf(rapid.SliceOf(rapid.Byte()), rapid.Just([]byte(strings.Repeat("x", 99)))).Draw(t, name))
		}
		got := Format(part("root"), part("tid"), part("name"), part("status"), part("details"))
		if !form.MatchString(got) {
			t.Errorf("title %q", got)
		}
		if len(got) > Room-tailLen {
			t.Errorf("title of %d bytes has no room: %q", len(got), got)
		}
	})
}
