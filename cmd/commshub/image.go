package main

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/han/manifest"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/internal/imagebuild"
	"github.com/commshub/commshub/internal/pki"
)

func newImage(g *global) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "image",
		Short: "Build, inspect, sign, verify and wrap OTA files",
		Example: `  commshub image build --out meter.ota --version 02000000 --size 256KiB
  commshub image inspect meter.ota`,
	}
	cmd.AddCommand(newImageBuild(g), newImageInspect(), newImageSign(g), newImageVerify(g), newImageWrap())
	return cmd
}

// hex16 and hex32 are flags written as hex digits, as the field writes codes.
type hex16 uint16

func (h *hex16) String() string { return fmt.Sprintf("%04X", uint16(*h)) }
func (h *hex16) Type() string   { return "hex" }
func (h *hex16) Set(s string) error {
	v, err := strconv.ParseUint(s, 16, 16)
	if err != nil {
		return errors.New("want up to 4 hex digits")
	}
	*h = hex16(v)
	return nil
}

type hex32 uint32

func (h *hex32) String() string { return fmt.Sprintf("%08X", uint32(*h)) }
func (h *hex32) Type() string   { return "hex" }
func (h *hex32) Set(s string) error {
	v, err := strconv.ParseUint(s, 16, 32)
	if err != nil {
		return errors.New("want up to 8 hex digits")
	}
	*h = hex32(v)
	return nil
}

// byteSize is a flag for a number of bytes: 262144, 256KiB, 750kB, 1MiB.
type byteSize int

func (b *byteSize) String() string { return strconv.Itoa(int(*b)) }
func (b *byteSize) Type() string   { return "size" }
func (b *byteSize) Set(s string) error {
	units := []struct {
		suffix string
		factor int
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"kB", 1000}, {"MB", 1000_000}, {"", 1}}
	for _, u := range units {
		number := s
		if u.suffix != "" {
			if len(s) <= len(u.suffix) || s[len(s)-len(u.suffix):] != u.suffix {
				continue
			}
			number = s[:len(s)-len(u.suffix)]
		}
		v, err := strconv.Atoi(number)
		if err != nil || v < 0 || v > 1<<40/u.factor {
			break
		}
		*b = byteSize(v * u.factor)
		return nil
	}
	return errors.New("want bytes such as 262144, 256KiB or 750kB")
}

// readImageFile reads a file as it was published and takes it apart. Every error
// names the file.
func readImageFile(path string) (*ota.Image, ota.Wrapper, error) {
	published, err := readBounded(path)
	if err != nil {
		return nil, ota.Wrapper{}, err
	}
	file, wrapper, err := ota.Unwrap(published)
	if err == nil {
		var im *ota.Image
		if im, err = ota.ParseImage(file); err == nil {
			return im, wrapper, nil
		}
	}
	return nil, ota.Wrapper{}, badInput("%s: %w", path, err)
}

// readBounded reads a file that may hold an image; it never reads more than the
// largest one there can be.
func readBounded(path string) ([]byte, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, imagecache.MaxUpload+1))
	if err != nil {
		return nil, badInput("%s: %w", path, reason(err))
	}
	if len(b) > imagecache.MaxUpload {
		return nil, badInput("%s: file is too large, want at most %d bytes", path, imagecache.MaxUpload)
	}
	return b, nil
}

// openFile opens an ordinary file for reading.
func openFile(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, badInput("%s: %w", path, reason(err))
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		err = badInput("%s: %w", path, reason(err))
	case info.IsDir():
		err = badInput("%s: is a folder, want a file", path)
	case info.Size() > imagecache.MaxUpload:
		err = badInput("%s: file of %d bytes is too large, want at most %d", path, info.Size(), imagecache.MaxUpload)
	default:
		return f, nil
	}
	return nil, errors.Join(err, f.Close())
}

// reason strips the path off a file error, because messages begin with it.
func reason(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

func newImageBuild(g *global) *cobra.Command {
	var dir, out, payloadFile, model, text, program string
	vendor, class := hex16(imagebuild.DefaultVendor), hex16(imagebuild.DefaultClass)
	hwMin, hwMax := hex16(imagebuild.DefaultHardware), hex16(imagebuild.DefaultHardware)
	fileVersion, size := hex32(0x02000000), byteSize(256<<10)
	var sequence uint32
	var seed uint64
	var force bool
	cmd := &cobra.Command{
		Use:   "build --out FILE",
		Short: "Build a signed GB firmware image",
		Long: `Build a firmware image as GB meters take it: a payload with the manufacturer's COSE_Sign1 manifest,
in an OTA file authorised by the supplier. Both keys come from the certificates folder.

Without --payload the payload is made up: --program says how the emulated meter behaves that runs it.`,
		Example: `  commshub image build --out meter.ota --version 03000000 --size 256KiB
  commshub image build --out bad.ota --program fails-self-test
  commshub image build --out - >meter.ota`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				return badInput("--out is missing: name the file to write")
			}
			behaviour, ok := bootloader.ParseProgramName(program)
			if !ok {
				return badInput("--program %q: want works, fails-self-test or hangs", program)
			}
			spec := imagebuild.Spec{
				ID:          ota.ImageID{Manufacturer: uint16(vendor), ImageType: uint16(class), FileVersion: uint32(fileVersion)},
				HardwareMin: uint16(hwMin), HardwareMax: uint16(hwMax),
				Sequence: sequence, Model: model, Text: text, ForceReplace: force,
			}
			if !cmd.Flags().Changed("sequence") {
				spec.Sequence = uint32(fileVersion) >> 24
			}
			build := func(manufacturer, supplier *ecdsa.PrivateKey) ([]byte, error) {
				return imagebuild.ExactFile(spec, behaviour, seed, int(size), manufacturer, supplier)
			}
			if payloadFile != "" {
				payload, err := readBounded(payloadFile)
				if err != nil {
					return err
				}
				spec.Payload = payload
				build = func(manufacturer, supplier *ecdsa.PrivateKey) ([]byte, error) {
					return imagebuild.Build(spec, manufacturer, supplier)
				}
			}
			return buildImage(cmd, g.path(dir, "pki"), out, build)
		},
	}
	f := cmd.Flags()
	pkiFlag(cmd, &dir)
	f.StringVar(&out, "out", "", "file to write; - for standard output")
	f.StringVar(&payloadFile, "payload", "", "file with the payload")
	f.Var(&size, "size", "size of the whole file without --payload")
	f.StringVar(&program, "program", "works", "what a made-up payload does: works, fails-self-test, hangs")
	f.Uint64Var(&seed, "seed", 1, "seed of a made-up payload")
	f.Var(&fileVersion, "version", "OTA file version")
	f.Uint32Var(&sequence, "sequence", 0, "rollback counter (default: first byte of the version)")
	f.Var(&vendor, "manufacturer-code", "Zigbee manufacturer code")
	f.Var(&class, "image-type", "Zigbee image type")
	f.Var(&hwMin, "hardware-min", "lowest hardware version")
	f.Var(&hwMax, "hardware-max", "highest hardware version")
	f.StringVar(&model, "model", "commshub sample meter", "model, in the manifest")
	f.StringVar(&text, "text", "commshub sample image", "header string of the OTA file")
	f.BoolVar(&force, "force-replace", false, "set the flag byte for the hub")
	return cmd
}

func buildImage(cmd *cobra.Command, pkiDir, out string, build func(manufacturer, supplier *ecdsa.PrivateKey) ([]byte, error)) error {
	manufacturer, supplier, err := signers(pkiDir)
	if err != nil {
		return err
	}
	file, err := build(manufacturer.Key, supplier.Key)
	if err != nil {
		return inputError{err}
	}
	return writeImage(cmd, out, file)
}

// writeImage writes an OTA file whole or not at all, and says what it is.
func writeImage(cmd *cobra.Command, out string, file []byte) error {
	im, err := ota.ParseImage(file)
	if err != nil {
		return err
	}
	switch info, err := os.Stat(out); {
	case err == nil && info.IsDir():
		return badInput("%s: is a folder, want a file", out)
	case err == nil && !info.Mode().IsRegular(): // the rename would take its place
		return badInput("%s: is no ordinary file", out)
	}
	told := cmd.OutOrStdout()
	if out == "-" {
		told = cmd.ErrOrStderr()
		if _, err := cmd.OutOrStdout().Write(file); err != nil {
			return outcomeError{fmt.Sprintf("write the image: %v", err)}
		}
	} else if err := renameio.WriteFile(out, file, 0o644); err != nil {
		return badInput("%s: %w", out, reason(err))
	}
	fmt.Fprintf(told, "%s: image %s, %d bytes, hash %s\n", filepath.Base(out), im.Header.ImageID, len(file), im.Hash())
	return nil
}

func newImageSign(g *global) *cobra.Command {
	var dir, out string
	cmd := &cobra.Command{
		Use:   "sign FILE --out FILE",
		Short: "Authorise an image anew, as another supplier would",
		Long: `Replace the authorising signature of a GB image by one of the supplier in the certificates folder.
The Manufacturer Image inside, and its hash, stay as they are.`,
		Example: "  commshub image sign meter.ota --out mine.ota",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return badInput("--out is missing: name the file to write")
			}
			im, _, err := readImageFile(args[0])
			if err != nil {
				return err
			}
			if !im.Header.HasHardware {
				return badInput("%s: hardware versions missing from the header, which a GB image needs", args[0])
			}
			supplier, err := signer(g.path(dir, "pki"), pki.RoleSupplier)
			if err != nil {
				return err
			}
			file, err := ota.BuildGB(im.Header, im.ManufacturerImage, im.ForceReplace != 0, supplier.Key)
			if err != nil {
				return badInput("%s: %w", args[0], err)
			}
			return writeImage(cmd, out, file)
		},
	}
	pkiFlag(cmd, &dir)
	cmd.Flags().StringVar(&out, "out", "", "file to write")
	return cmd
}

func newImageVerify(g *global) *cobra.Command {
	var dir, supplierCert, manufacturerCert string
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check both signatures of a GB image",
		Long: `Check the supplier's authorising signature and the manufacturer's manifest, with the certificates in
the certificates folder or with those named, and that the OTA header, which nobody signs, says the same as
the manifest. Exit code 1 if not.`,
		Example: "  commshub image verify meter.ota",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			im, _, err := readImageFile(args[0])
			if err != nil {
				return err
			}
			supplier, err := publicKey(g.path(dir, "pki"), pki.RoleSupplier, supplierCert)
			if err != nil {
				return err
			}
			manufacturer, err := publicKey(g.path(dir, "pki"), pki.RoleManufacturer, manufacturerCert)
			if err != nil {
				return err
			}
			if err := im.VerifyAuthority(supplier); err != nil {
				return outcomeError{fmt.Sprintf("%s: %v", args[0], err)}
			}
			m, err := manifest.Verify(im.ManufacturerImage, manufacturer)
			if err != nil {
				return outcomeError{fmt.Sprintf("%s: %v", args[0], err)}
			}
			if h := im.Header; h.FileVersion != m.Version || h.Manufacturer != m.Vendor || h.ImageType != m.Class {
				return outcomeError{fmt.Sprintf("%s: the OTA header says %s, the manifest %04X/%04X/%08X",
					args[0], h.ImageID, m.Vendor, m.Class, m.Version)}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: authorised and genuine: %s, version %08X, sequence %d\n", args[0], m.Model, m.Version, m.Sequence)
			return nil
		},
	}
	pkiFlag(cmd, &dir)
	cmd.Flags().StringVar(&supplierCert, "supplier", "", "certificate of the supplier, PEM")
	cmd.Flags().StringVar(&manufacturerCert, "manufacturer", "", "certificate of the manufacturer, PEM")
	return cmd
}

// publicKey returns the key of the certificate named, or of the one in the folder.
func publicKey(dir string, role pki.Role, named string) (*ecdsa.PublicKey, error) {
	if named == "" {
		return signerKey(dir, role)
	}
	text, err := readBounded(named)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, badInput("%s: no PEM certificate in it", named)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, badInput("%s: %w", named, err)
	}
	key, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Params().BitSize != 256 {
		return nil, badInput("%s: want an ECDSA P-256 key", named)
	}
	return key, nil
}
