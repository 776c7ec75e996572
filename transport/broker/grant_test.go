package broker

import "testing"

func TestSubjectOfATopicFilter(t *testing.T) {
	tests := []struct{ give, want string }{
		{"han/00DB1234567890A3/clock", "han.00DB1234567890A3.clock"},
		{"han/00DB1234567890A3/+/up", "han.00DB1234567890A3.*.up"},
		{"homeassistant/#", "homeassistant.>"},
		{"#", ">"},
		{"a//b", ""},
		{"/a", ""},
		{"a.b", ""},
		{"a/#/b", ""},
		{"a/b+", ""},
		{"a/*", ""},
		{"a/>", ""},
		{"a b", ""},
		{"", ""},
	}
	for _, tt := range tests {
		t.Run(tt.give, func(t *testing.T) {
			got, err := subject(tt.give)
			if got != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("subject = %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}
