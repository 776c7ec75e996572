package otaclient

import (
	"fmt"
	"testing"
	"time"

	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/zcl"
)

// paging is a client that asks for pages of 128 bytes in blocks of up to 63.
func paging() Config {
	c := DefaultConfig()
	c.PageSize = 128
	return c
}

// begun returns a device that has asked for its first page of 300 bytes.
func begun(t *testing.T) *device {
	t.Helper()
	d := newDevice(paging())
	d.offer()
	d.answerQuery(2, len(next))
	if got := d.hear(); got != "query after 1, hardware 0000, begun, page of 128 at 0 of 2" {
		t.Fatalf("said %q", got)
	}
	return d
}

func (d *device) refuseWith(command uint8, s zcl.Status) {
	d.client.handleDefaultResponse(d.now, &d.out, zcl.DefaultResponse{Command: command, Status: s})
}

// TestPagesFollowOneAnother: each is asked for when the one before is whole, and the
// last one no longer than the image.
func TestPagesFollowOneAnother(t *testing.T) {
	d := begun(t)
	pages := 1
	for d.client.State() == StateDownloading {
		at := d.offset()
		end := min((at/128+1)*128, len(next))
		d.block(2, next, at, min(48, end-at))
		want := ""
		switch rest := len(next) - d.offset(); {
		case rest == 0:
			want = "complete, end of 2 SUCCESS"
		case d.offset() == end:
			pages++
			want = fmt.Sprintf("page of %d at %d of 2", min(128, rest), end)
		}
		if got := d.hear(); got != want {
			t.Fatalf("after the block at %d: %q, want %q", at, got, want)
		}
	}
	if want := (len(next) + 127) / 128; pages != want {
		t.Errorf("%d pages, want %d", pages, want)
	}
}

// TestABlockMissingFromAPage may be late, and the others wait for it. When no more can
// come it is asked for, and nothing else.
func TestABlockMissingFromAPage(t *testing.T) {
	d := begun(t)
	d.block(2, next, 0, 32)
	d.block(2, next, 64, 32) // before 32 to 64
	d.block(2, next, 64, 32)
	if got := d.hear(); got != "" || d.offset() != 32 {
		t.Errorf("a block that came early: %q, offset %d", got, d.offset())
	}
	d.block(2, next, 32, 32)
	if got := d.hear(); got != "" || d.offset() != 96 {
		t.Errorf("it was late: %q, offset %d", got, d.offset())
	}
	d.block(2, next, 96, 32)
	if got := d.hear(); got != "page of 128 at 128 of 2" {
		t.Fatalf("the page is whole: %q", got)
	}
	for offset := 160; offset < 256; offset += 32 { // 128 to 160 is lost
		d.block(2, next, offset, 32)
	}
	d.overdue()
	if got := d.hear(); got != "page of 32 at 128 of 2" || d.now.Sub(start) != time.Second {
		t.Errorf("what was lost: %q after %v", got, d.now.Sub(start))
	}
	d.block(2, next, 128, 32)
	if got := d.hear(); got != fmt.Sprintf("page of %d at 256 of 2", len(next)-256) || d.offset() != 256 {
		t.Errorf("afterwards %q at %d", got, d.offset())
	}
	if got := d.client.Stats(); got.Retries != 1 || got.Blocks != 8 {
		t.Errorf("%+v", got)
	}
}

func TestWhatEndsAPageForTheClient(t *testing.T) {
	t.Run("silence", func(t *testing.T) {
		d := begun(t)
		d.block(2, next, 0, 48)
		d.overdue()
		if got := d.hear(); got != "page of 128 at 48 of 2" {
			t.Errorf("said %q", got)
		}
		if waited := d.now.Sub(start); waited != 3*time.Second+50*time.Millisecond {
			t.Errorf("after %v", waited)
		}
	})
	t.Run("WAIT_FOR_DATA", func(t *testing.T) {
		d := begun(t)
		d.block(2, next, 0, 48)
		d.status(zcl.StatusWaitForData)
		d.block(2, next, 48, 48) // late
		if got := d.hear(); got != "" || d.offset() != 48 || d.client.State() != StatePaused {
			t.Errorf("said %q at %d, %s", got, d.offset(), d.client.State())
		}
	})
	t.Run("the budget", func(t *testing.T) {
		d := begun(t)
		d.broke = true
		d.block(2, next, 0, 48)
		if d.client.State() != StatePaused || d.client.Awaiting() {
			t.Errorf("%s, awaiting %v", d.client.State(), d.client.Awaiting())
		}
	})
}

// TestAServerWithoutPages is asked for blocks from then on.
func TestAServerWithoutPages(t *testing.T) {
	d := begun(t)
	d.refuseWith(ota.CommandImagePageRequest, zcl.StatusUnsupCommand)
	d.block(2, next, 0, 48)
	if got := d.hear(); got != "block 0 of 2, block 48 of 2" {
		t.Errorf("said %q", got)
	}
	d.client.Pause()
	d.resume()
	if got := d.hear(); got != "block 48 of 2" {
		t.Errorf("after a pause: %q", got)
	}
}

// TestARefusedPagePauses: asking in another way would be refused too.
func TestARefusedPagePauses(t *testing.T) {
	d := begun(t)
	d.refuseWith(ota.CommandImagePageRequest, zcl.StatusMalformedCommand)
	if got := d.hear(); got != "" || d.client.State() != StatePaused {
		t.Errorf("said %q, %s", got, d.client.State())
	}
}
