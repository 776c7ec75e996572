#include "verify.h"

#include <mbedtls/md.h>
#include <string.h>

enum {
	OTA_HEADER_MIN = 56,
	OTA_HEADER_MAX = 69,
	SIGNATURE_SIZE = 64,
	TRAILER_SIZE = 2 + SIGNATURE_SIZE,
};

static uint32_t little_endian(const uint8_t *b, int bytes) {
	uint32_t value = 0;
	while (bytes-- > 0) {
		value = value << 8 | b[bytes];
	}
	return value;
}

bool verify_sha256(struct slot *s, uint32_t offset, uint32_t length, uint8_t digest[SHA256_SIZE]) {
	uint8_t chunk[512];
	mbedtls_md_context_t md;
	mbedtls_md_init(&md);
	bool ok = mbedtls_md_setup(&md, mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), 0) == 0 && mbedtls_md_starts(&md) == 0;
	while (ok && length > 0) {
		uint32_t n = length < sizeof chunk ? length : sizeof chunk;
		ok = slot_read(s, offset, chunk, n) && mbedtls_md_update(&md, chunk, n) == 0;
		offset += n;
		length -= n;
	}
	ok = ok && mbedtls_md_finish(&md, digest) == 0;
	mbedtls_md_free(&md);
	return ok;
}

// append_integer writes 32 bytes, most significant first, as a DER INTEGER: without
// leading zeros, but with one if the first bit would make it negative.
static size_t append_integer(uint8_t *der, const uint8_t *number) {
	size_t length = SIGNATURE_SIZE / 2;
	while (length > 1 && number[0] == 0) {
		number++;
		length--;
	}
	size_t pad = number[0] >> 7;
	der[0] = 0x02;
	der[1] = (uint8_t)(length + pad);
	der[2] = 0;
	memcpy(der + 2 + pad, number, length);
	return 2 + pad + length;
}

const char *verify_image(struct slot *s, mbedtls_pk_context *supplier) {
	uint8_t header[OTA_HEADER_MIN], trailer[TRAILER_SIZE], digest[SHA256_SIZE];
	if (s->size < OTA_HEADER_MAX + TRAILER_SIZE || s->offset != s->size) {
		return "it is too short";
	}
	if (!slot_read(s, 0, header, sizeof header) || !slot_read(s, s->size - TRAILER_SIZE, trailer, sizeof trailer)) {
		return "it cannot be read";
	}
	uint32_t header_size = little_endian(header + 6, 2);
	struct image_id id = {(uint16_t)little_endian(header + 10, 2), (uint16_t)little_endian(header + 12, 2),
			      little_endian(header + 14, 4)};
	if (little_endian(header, 4) != 0x0BEEF11E || header_size < OTA_HEADER_MIN || header_size > OTA_HEADER_MAX ||
	    little_endian(header + 52, 4) != s->size) {
		return "its OTA header is wrong";
	}
	if (!image_id_equal(&id, &s->image)) {
		return "it is another image than the one that was offered";
	}
	if (trailer[0] > 1 || trailer[1] != SIGNATURE_SIZE) {
		return "it has no supplier's signature";
	}
	if (!verify_sha256(s, header_size, s->size - header_size - TRAILER_SIZE, digest)) {
		return "it cannot be read";
	}
	uint8_t der[2 + 2 * (3 + SIGNATURE_SIZE / 2)];
	size_t length = append_integer(der + 2, trailer + 2);
	length += append_integer(der + 2 + length, trailer + 2 + SIGNATURE_SIZE / 2);
	der[0] = 0x30; // SEQUENCE of r and s
	der[1] = (uint8_t)length;
	if (mbedtls_pk_verify(supplier, MBEDTLS_MD_SHA256, digest, sizeof digest, der, 2 + length) != 0) {
		return "the supplier did not sign it";
	}
	return NULL;
}
