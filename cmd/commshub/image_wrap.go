package main

import (
	"crypto"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/internal/flagvalue"
	"github.com/commshub/commshub/internal/imagebuild"
	"github.com/commshub/commshub/internal/pki"
)

func newImageWrap() *cobra.Command {
	var out, text, keyFile string
	vendor, class, fileVersion := flagvalue.Hex16(imagebuild.DefaultVendor), flagvalue.Hex16(imagebuild.DefaultClass), flagvalue.Hex32(0)
	cmd := &cobra.Command{
		Use:   "wrap FILE --version VERSION --out FILE",
		Short: "Put any firmware into an OTA file, for devices of a bridge",
		Long: `Put any firmware into a Zigbee OTA file, as its upgrade image element. The hub caches it and the bridge
gives it to devices that are no members of the HAN, which take the element alone. A meter takes such a
file only with trust any. With --sign an ECDSA signature over SHA-256 of the firmware stands beside it, which the bridge
hands to devices whose protocol has a place for one.

The version has one byte for each number: 0D010000 is 13.1.0.`,
		Example: "  commshub image wrap tasmota.bin.gz --version 0D010000 --out tasmota.ota",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return badInput("--out is missing: name the file to write")
			}
			if !cmd.Flags().Changed("version") {
				return badInput("--version is missing: want up to 8 hex digits, such as 0D010000")
			}
			payload, err := readBounded(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			var key crypto.Signer
			if keyFile != "" {
				text, err := readBounded(cmd.Context(), keyFile)
				if err != nil {
					return err
				}
				if key, err = pki.ParsePrivateKey(text); err != nil {
					return badInput("%s: %w", keyFile, err)
				}
			}
			id := ota.ImageID{Manufacturer: uint16(vendor), ImageType: uint16(class), FileVersion: uint32(fileVersion)}
			file, err := imagebuild.Wrap(id, text, payload, key)
			if err != nil {
				return badInput("%s: %w", args[0], err)
			}
			return writeImage(cmd, out, file)
		},
	}
	f := cmd.Flags()
	f.StringVar(&keyFile, "sign", "", "private key to sign with, ECDSA P-256, PEM")
	f.StringVar(&out, "out", "", "file to write; - for standard output")
	f.Var(&fileVersion, "version", "OTA file version")
	f.Var(&vendor, "manufacturer-code", "Zigbee manufacturer code")
	f.Var(&class, "image-type", "Zigbee image type")
	f.StringVar(&text, "text", "", "header string of the OTA file, at most 32 bytes")
	return cmd
}
