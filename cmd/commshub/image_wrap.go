package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/internal/imagebuild"
)

func newImageWrap() *cobra.Command {
	var out, text, keyFile string
	vendor, class, fileVersion := hex16(imagebuild.DefaultVendor), hex16(imagebuild.DefaultClass), hex32(0)
	cmd := &cobra.Command{
		Use:   "wrap FILE --version VERSION --out FILE",
		Short: "Put any firmware into an OTA file, for devices of a bridge",
		Long: `Put any firmware into a Zigbee OTA file, as its upgrade image element. The hub caches it and the bridge
gives it to devices that are no members of the HAN, which take the element alone. No meter takes such
a file. With --sign an ECDSA signature over SHA-256 of the firmware stands beside it, which the bridge
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
			payload, err := readBounded(args[0])
			if err != nil {
				return err
			}
			var key crypto.Signer
			if keyFile != "" {
				if key, err = readPrivateKey(keyFile); err != nil {
					return err
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
	f.StringVar(&out, "out", "", "file to write")
	f.Var(&fileVersion, "version", "OTA file version")
	f.Var(&vendor, "manufacturer-code", "Zigbee manufacturer code")
	f.Var(&class, "image-type", "Zigbee image type")
	f.StringVar(&text, "text", "", "header string of the OTA file, at most 32 bytes")
	return cmd
}

// readPrivateKey reads a P-256 key in PKCS #8 or SEC 1.
func readPrivateKey(path string) (*ecdsa.PrivateKey, error) {
	text, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		var parsed any
		switch block.Type {
		case "PRIVATE KEY":
			parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			parsed, err = x509.ParseECPrivateKey(block.Bytes)
		default:
			continue // OpenSSL writes the curve in front
		}
		if key, ok := parsed.(*ecdsa.PrivateKey); err == nil && ok && key.Curve == elliptic.P256() {
			return key, nil
		}
	}
	return nil, badInput("%s: no ECDSA P-256 private key in it", path)
}
