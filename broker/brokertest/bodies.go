package brokertest

import (
	"strings"
	"testing"

	"weft/broker"
)

var bodyCases = []testCase{
	{"kept exactly", func(t *testing.T, s *store) {
		texts := []string{
			"", " ", "\n", "\r\n", "a\n", "\x00", "a\x00b", "\x00\x00end", "\ufeffmark", "null", "1", "1e3", "007",
			"2026-11-21T12:00:00Z", "it's \"quoted\" -- ;", "naïve ☃ 𝄞 \u202e", "\u0000\U0010ffff", "{\"id\":1795262400000000000}",
		}
		s.write(t, "q", texts...)
		s.holds(t, "q", texts...)
		for _, want := range texts {
			m, err := s.Queue("q").Read(t.Context())
			must(t, err)
			if m.Body != want {
				t.Errorf("read %q, want %q", m.Body, want)
			}
		}
	}},
	{"invalid UTF-8", func(t *testing.T, s *store) {
		for _, body := range []string{"\xff", "a\xc3", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc0\x80"} {
			_, err := s.Queue("q").Write(t.Context(), body)
			wants(t, "write", err, broker.ErrBody)
			_, err = s.Queue("q").WriteAll(t.Context(), []string{"good", body})
			wants(t, "write all", err, broker.ErrBody)
			s.update(t, func(tx *broker.Tx) error {
				_, err := tx.Write("q", body)
				wants(t, "write in a transaction", err, broker.ErrBody)
				return nil
			})
		}
		s.holds(t, "q")
	}},
	{"size", func(t *testing.T, s *store) {
		largest := strings.Repeat("ü", broker.MaxMessageBytes/2)
		s.write(t, "q", largest)
		_, err := s.Queue("q").Write(t.Context(), largest+"x")
		wants(t, "write", err, broker.ErrTooLarge)
		_, err = s.Queue("q").WriteAll(t.Context(), []string{"good", largest + "x"})
		wants(t, "write all", err, broker.ErrTooLarge)
		s.update(t, func(tx *broker.Tx) error {
			_, err := tx.Write("q", largest+"x")
			wants(t, "write in a transaction", err, broker.ErrTooLarge)
			return nil
		})
		m, err := s.Queue("q").Read(t.Context())
		must(t, err)
		if m.Body != largest {
			t.Errorf("read %d bytes, another body than was written", len(m.Body))
		}
		s.holds(t, "q")
	}},
}
