package filestreams

import (
	"testing"
)

// FuzzRequest sends anything on the topics of requests. What is answered is
// blocks of the file, a description or one rejection, and never more bytes than
// one request may bring.
func FuzzRequest(f *testing.F) {
	file := sampleFile(20_000)
	for _, seed := range []string{
		`{"s": 1,"f": 1,"l": 4096,"o": 0,"n": 1}`, `{"c":"1","s":1,"l":256,"f":1,"o":20,"n":32,"b":"0x130080"}`,
		`{"c":"ec944cfb-1e3c-49ac-97de-9dc4aaad0039"}`, `{"f":"1","l":"256"}`,
	} {
		f.Add([]byte(seed), false, true)
	}
	f.Add(unhex(f, "a6 6163 63726479 6166 01 616c 191000 616f 00 6162 44 4d513d3d 616e 01"), true, true)
	f.Add(unhex(f, "a1 6163 6131"), true, false)
	f.Fuzz(func(t *testing.T, payload []byte, inCBOR, isGet bool) {
		a := newAdapter(t, plainDevice, file)
		form, op := formatJSON, opDescribe
		if inCBOR {
			form = formatCBOR
		}
		if isGet {
			op = opGet
		}
		out := ask(t, a, noon, streamTopic(file, op, form), payload)
		messages := out.Messages()
		if len(messages) == 0 {
			t.Fatal("no answer")
		}
		for _, m := range messages {
			switch m.Topic {
			case streamTopic(file, opData, form):
			case streamTopic(file, opDescription, form), streamTopic(file, opRejected, form):
				if len(messages) != 1 {
					t.Fatal("a rejection among other answers")
				}
			default:
				t.Fatalf("answer on %s", m.Topic)
			}
			if m.Retained {
				t.Fatal("an answer that the broker keeps")
			}
		}
		if r := a.devices[0].report(); int(r.Blocks) > maxBlock/minBlock || r.Offset > uint32(len(file)) {
			t.Fatalf("report %+v", r)
		}
	})
}

// FuzzTopic demands that a topic that is read is written the same.
func FuzzTopic(f *testing.F) {
	f.Add("$aws/things/thermostat/streams/fw-1/get/json")
	f.Add("$aws/things/a/streams/b/describe/cbor")
	f.Fuzz(func(t *testing.T, s string) {
		if got, err := parseTopic(s); err == nil && got.String() != s {
			t.Errorf("%q became %q", s, got)
		}
	})
}

// FuzzServed compares the spans with a byte map.
func FuzzServed(f *testing.F) {
	f.Add([]byte{0, 4, 8, 4, 4, 4})
	f.Fuzz(func(t *testing.T, steps []byte) {
		var s served
		var sent [512]bool
		for ; len(steps) >= 2; steps = steps[2:] {
			from, size := int(steps[0]), int(steps[1])+1
			s.add(int64(from), int64(from+size))
			for i := range size {
				sent[from+i] = true
			}
		}
		want := int64(0)
		for want < int64(len(sent)) && sent[want] {
			want++
		}
		if s.prefix() != want || !s.valid(int64(len(sent))) {
			t.Fatalf("prefix %d, want %d: %v", s.prefix(), want, s)
		}
	})
}
