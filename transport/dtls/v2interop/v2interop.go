// Package v2interop proves that a device with pion/dtls v2 can talk to our hub,
// which uses v3. There are devices in the field and in laboratories with v2, and
// the wire is the same.
//
// It is a module of its own, so that v2 never becomes part of the product: v2
// has had no release since 2024 and has two published vulnerabilities without a
// fix (CVE-2026-26014, random AEAD nonces, CCM included; CVE-2026-54908, a panic
// on a crafted ServerKeyExchange). Run its test from this folder.
package v2interop
