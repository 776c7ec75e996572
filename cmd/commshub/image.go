package main

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/han/manifest"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/internal/flagvalue"
	"github.com/commshub/commshub/internal/foreign"
	"github.com/commshub/commshub/internal/home/live"
	"github.com/commshub/commshub/internal/imagebuild"
	"github.com/commshub/commshub/internal/imageview"
	"github.com/commshub/commshub/internal/inputfile"
	"github.com/commshub/commshub/internal/outputfile"
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

// readImageFile reads a file as it was published and takes it apart.
func readImageFile(ctx context.Context, path string) (*ota.Published, error) {
	p, err := imageview.Read(ctx, path)
	return p, unreadable(err)
}

// readBounded reads a file that may hold an image; it never reads more than the
// largest one there can be.
func readBounded(ctx context.Context, path string) ([]byte, error) {
	b, err := inputfile.Read(ctx, path, imagecache.MaxUpload)
	return b, unreadable(err)
}

// openFile opens a file for reading, until the context ends.
func openFile(ctx context.Context, path string) (*os.File, error) {
	f, err := inputfile.Open(ctx, path, imagecache.MaxUpload)
	return f, unreadable(err)
}

// unreadable says what it means that a file could not be read: bad input, unless the
// reading was interrupted.
func unreadable(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, inputfile.ErrInterrupted):
		return outcomeError{err.Error()}
	default:
		return inputError{err}
	}
}

func newImageBuild(g *global) *cobra.Command {
	var dir, out, payloadFile, model, text, program string
	vendor, class := flagvalue.Hex16(imagebuild.DefaultVendor), flagvalue.Hex16(imagebuild.DefaultClass)
	hwMin, hwMax := flagvalue.Hex16(imagebuild.DefaultHardware), flagvalue.Hex16(imagebuild.DefaultHardware)
	fileVersion, size := flagvalue.Hex32(0x02000000), flagvalue.Bytes(256<<10)
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
				payload, err := readBounded(cmd.Context(), payloadFile)
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
	f.BoolVar(&force, "force-replace", false, "set the flag byte: the hub lets the image take the place also of one that a device is ordered to activate")
	return cmd
}

func buildImage(cmd *cobra.Command, pkiDir, out string, build func(manufacturer, supplier *ecdsa.PrivateKey) ([]byte, error)) error {
	manufacturer, supplier, err := pki.Signers(pkiDir)
	if err != nil {
		return inputError{err}
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
	told := cmd.OutOrStdout()
	if out == outputfile.Standard {
		told = cmd.ErrOrStderr()
	}
	if err := outputfile.Replace(cmd.OutOrStdout(), out, file); err != nil {
		return written("--out", out, err)
	}
	foreign.Fprintf(told, "%s: image %s, %d bytes, hash %s\n", filepath.Base(out), im.Header.ImageID, len(file), im.Hash())
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
			im, err := readImageFile(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if !im.Header.HasHardware {
				return badInput("%s: hardware versions missing from the header, which a GB image needs", args[0])
			}
			supplier, err := input(pki.Signer(g.path(dir, "pki"), pki.RoleSupplier))
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
	cmd.Flags().StringVar(&out, "out", "", "file to write; - for standard output")
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
			im, err := readImageFile(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			supplier, err := publicKey(cmd.Context(), g.path(dir, "pki"), pki.RoleSupplier, supplierCert)
			if err != nil {
				return err
			}
			manufacturer, err := publicKey(cmd.Context(), g.path(dir, "pki"), pki.RoleManufacturer, manufacturerCert)
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
			foreign.Fprintf(cmd.OutOrStdout(), "%s: authorised and genuine: %s, version %08X, sequence %d\n", args[0], m.Model, m.Version, m.Sequence)
			return nil
		},
	}
	pkiFlag(cmd, &dir)
	cmd.Flags().StringVar(&supplierCert, "supplier", "", "certificate of the supplier, PEM")
	cmd.Flags().StringVar(&manufacturerCert, "manufacturer", "", "certificate of the manufacturer, PEM")
	return cmd
}

// publicKey returns the key of the certificate named, or of the one in the folder. There
// is none in a new folder, and none is made: nothing that is there to be checked could be
// signed with it.
func publicKey(ctx context.Context, dir string, role pki.Role, named string) (*ecdsa.PublicKey, error) {
	file := named
	if file == "" {
		file = filepath.Join(dir, role.String()+".pem")
	}
	key, err := live.CertificateKey(ctx, file)
	if named == "" && errors.Is(err, fs.ErrNotExist) {
		return nil, badInput("no certificate of the %s in %s: name its file with --%s, or the folder with --pki", role, dir, role)
	}
	return input(key, err)
}
