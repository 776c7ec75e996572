package imagebuild_test

import (
	"bytes"
	"testing"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/internal/imagebuild"
	"github.com/commshub/commshub/internal/testimage"
)

func TestSampleFilesHaveTheSizeAskedFor(t *testing.T) {
	for _, size := range []int{2048, 4096, 66_000, 262_144, 768_000} {
		file, err := imagebuild.SampleFile(0x02000000, 1, size, testimage.Manufacturer(), testimage.Supplier())
		if err != nil {
			t.Fatal(err)
		}
		if len(file) != size {
			t.Errorf("file of %d bytes, want %d", len(file), size)
		}
		policy := bootloader.Policy{
			Manufacturer: &testimage.Manufacturer().PublicKey,
			Vendor:       imagebuild.DefaultVendor, Class: imagebuild.DefaultClass, Hardware: imagebuild.DefaultHardware,
		}
		if _, err := bootloader.Verify(policy, file, 0); err != nil {
			t.Errorf("%d bytes: a meter refuses it: %v", size, err)
		}
		image, err := ota.ParseImage(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := image.VerifyAuthority(&testimage.Supplier().PublicKey); err != nil {
			t.Error(err)
		}
	}
	for _, size := range []int{0, 100, ota.MaxFileSize + 1} {
		if _, err := imagebuild.SampleFile(1, 1, size, testimage.Manufacturer(), testimage.Supplier()); err == nil {
			t.Errorf("a size of %d was accepted", size)
		}
	}
}

func TestTheSameSeedMakesTheSameFile(t *testing.T) {
	build := func(seed uint64) []byte {
		file, err := imagebuild.SampleFile(0x02000000, seed, 4096, testimage.Manufacturer(), testimage.Supplier())
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	if !bytes.Equal(build(1), build(1)) {
		t.Error("two files from one seed differ")
	}
	if bytes.Equal(build(1), build(2)) {
		t.Error("two seeds make the same file")
	}
}
