package systemtest

import (
	"testing"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/gasproxy"
)

// TestPagesSaveTheirRequests compares a download by pages with one by blocks.
func TestPagesSaveTheirRequests(t *testing.T) {
	const page = 16 * 48
	im := exactImage(t, 64<<10)
	for _, name := range battery.Names() {
		set := must(battery.Named(name))
		run := paced{set: set, policy: gasproxy.Radio(20 * time.Second), image: im, seed: 1, blockSize: 48}
		blocks := run.run(t)
		run.pageSize = page
		pages := run.run(t)
		saved := blocks.charge - pages.charge
		// A page saves all requests but one, and each costs the same.
		request := set.RadioCharge(set.Radio.Send(blockRequest))
		want := battery.Charge(blocks.blocks-int(pages.progress.Pages)) * request
		t.Logf("%s: %d blocks in %d pages, %.4f mAh; block by block %.4f mAh; saved %.1f %%", name, pages.blocks, pages.progress.Pages,
			mAh(pages.charge), mAh(blocks.charge), 100*float64(saved)/float64(blocks.charge))
		if !pages.done || pages.blocks != blocks.blocks || (int(pages.progress.Pages)-(64<<10+page-1)/page) > pages.windows {
			t.Errorf("%s: done %v, %d blocks in %d pages", name, pages.done, pages.blocks, pages.progress.Pages)
		}
		if off := float64(saved)/float64(want) - 1; off < -0.05 || off > 0.05 {
			t.Errorf("%s: pages save %d nC, want about %d", name, saved, want)
		}
	}
}

// TestPagesSurviveALossyLink: blocks lost from a page are asked for again, and a
// window that ends in a page goes on in the next.
func TestPagesSurviveALossyLink(t *testing.T) {
	im := exactImage(t, 64<<10)
	least := (64<<10 + 47) / 48
	for _, loss := range []float64{0, 0.05, 0.2} {
		for seed := range uint64(20) {
			got := paced{
				set: must(battery.Named("2.4ghz-new")), policy: gasproxy.Radio(2 * time.Second), image: im,
				seed: seed + 1, loss: share(loss), pageSize: 16 * 48,
			}.run(t)
			if !got.done || got.blocks != least || loss == 0 && got.progress.Repeats != 0 {
				t.Fatalf("seed %d at %v loss: done %v, %d blocks stored of %d, %d served again", seed+1, loss, got.done, got.blocks, least, got.progress.Repeats)
			}
			// What is served in vain is bounded by what is under way when a loss shows.
			if again := float64(got.progress.Repeats) / float64(least); again > 6*loss+0.02 {
				t.Errorf("seed %d at %v loss: %.2f of the blocks were served again", seed+1, loss, again)
			}
		}
	}
}

// TestLargerBlocksTakeFragments compares block sizes up to what a block can hold.
func TestLargerBlocksTakeFragments(t *testing.T) {
	im := exactImage(t, 64<<10)
	for _, name := range battery.Names() {
		set := must(battery.Named(name))
		least := map[int]battery.Charge{}
		for _, size := range []int{48, 56, 64, 82, 125, 196, 255} {
			got := paced{set: set, policy: gasproxy.Radio(20 * time.Second), image: im, seed: 1, blockSize: size}.run(t)
			if !got.done {
				t.Fatalf("%s, blocks of %d bytes: not done", name, size)
			}
			least[size] = got.charge
			t.Logf("%s, blocks of %3d bytes, %d fragments: %2d windows, %.4f mAh", name, size, set.Block(size).Fragments, got.windows, mAh(got.charge))
		}
		// 56 bytes fill one radio frame, 64 just do not fit it; the largest save requests.
		if least[56] >= least[48] || least[64] <= least[56] || least[255] >= least[56] {
			t.Errorf("%s: %v", name, least)
		}
	}
}

// TestALateFrameIsNoLostOne: blocks of a page that overtake another wait for it.
func TestALateFrameIsNoLostOne(t *testing.T) {
	im := exactImage(t, 100<<10)
	least := (100<<10 + 47) / 48
	for seed := range uint64(5) {
		got := paced{
			set: must(battery.Named("2.4ghz-new")), policy: gasproxy.Radio(10 * time.Second), image: im,
			seed: seed + 1, late: share(0.2), pageSize: 16 * 48,
		}.run(t)
		if again := float64(got.progress.Repeats) / float64(least); !got.done || got.blocks != least || again > 0.05 {
			t.Errorf("seed %d: done %v, %d blocks stored of %d, %.1f %% served twice", seed+1, got.done, got.blocks, least, 100*again)
		}
		if int(got.progress.Offset) != 100<<10 {
			t.Errorf("seed %d: the hub thinks that it has %d bytes", seed+1, got.progress.Offset)
		}
	}
}

// TestLongPagesBecomeShortWhereTheyLose: on a link that loses or delays one frame in five
// a long page is mostly served in vain, and still costs less than asking block by block.
func TestLongPagesBecomeShortWhereTheyLose(t *testing.T) {
	im := exactImage(t, 100<<10)
	least := (100<<10 + 47) / 48
	for name, run := range map[string]paced{"loss": {loss: share(0.2)}, "late": {late: share(0.2)}} {
		run.set, run.policy, run.image = must(battery.Named("2.4ghz-new")), gasproxy.Radio(10*time.Second), im
		for seed := range uint64(5) {
			run.seed, run.pageSize = seed+1, 0
			blocks := run.run(t)
			run.pageSize = 2048
			pages := run.run(t)
			again := float64(pages.progress.Repeats) / float64(least)
			t.Logf("%s, seed %d: %.1f %% served twice, %.4f mAh; block by block %.4f mAh", name, seed+1, 100*again, mAh(pages.charge), mAh(blocks.charge))
			if !pages.done || again > 0.37 || pages.charge >= blocks.charge {
				t.Errorf("%s, seed %d: done %v, %.1f %% served twice, %d nC; block by block %d nC", name, seed+1, pages.done, 100*again, pages.charge, blocks.charge)
			}
		}
	}
}
