#include "code.h"

#include <ctype.h>
#include <mbedtls/aes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static uint16_t crc16(const uint8_t *bytes, size_t length) {
	uint16_t crc = 0xFFFF;
	while (length-- > 0) {
		crc ^= *bytes++;
		for (int bit = 0; bit < 8; bit++) {
			crc = (uint16_t)(crc & 1 ? crc >> 1 ^ 0x8408 : crc >> 1);
		}
	}
	return (uint16_t)~crc;
}

bool code_parse(uint8_t code[CODE_SIZE], const char *text) {
	size_t digits = 0;
	for (; *text != 0; text++) {
		if (*text == ' ' || *text == '-' || *text == ':') {
			continue;
		}
		if (!isxdigit((unsigned char)*text) || digits == 2 * CODE_SIZE) {
			return false;
		}
		const char digit[] = {*text, 0};
		uint8_t value = (uint8_t)strtoul(digit, NULL, 16);
		code[digits / 2] = digits % 2 == 0 ? (uint8_t)(value << 4) : code[digits / 2] | value;
		digits++;
	}
	uint16_t crc = digits == 2 * CODE_SIZE ? crc16(code, CODE_SIZE - 2) : 0;
	return digits == 2 * CODE_SIZE && code[CODE_SIZE - 2] == (crc & 0xFF) && code[CODE_SIZE - 1] == crc >> 8;
}

// compress replaces hash by AES(key = hash, block) XOR block.
static void compress(uint8_t hash[LINK_KEY_SIZE], const uint8_t block[LINK_KEY_SIZE]) {
	mbedtls_aes_context aes;
	mbedtls_aes_init(&aes);
	mbedtls_aes_setkey_enc(&aes, hash, 128);
	mbedtls_aes_crypt_ecb(&aes, MBEDTLS_AES_ENCRYPT, block, hash);
	mbedtls_aes_free(&aes);
	for (int i = 0; i < LINK_KEY_SIZE; i++) {
		hash[i] ^= block[i];
	}
}

void code_key(uint8_t key[LINK_KEY_SIZE], const uint8_t code[CODE_SIZE]) {
	uint8_t last[LINK_KEY_SIZE] = {0};
	memset(key, 0, LINK_KEY_SIZE);
	compress(key, code);
	// The rest, a one bit, zeros, and the length of all in bits.
	memcpy(last, code + LINK_KEY_SIZE, CODE_SIZE - LINK_KEY_SIZE);
	last[CODE_SIZE - LINK_KEY_SIZE] = 0x80;
	last[LINK_KEY_SIZE - 1] = 8 * CODE_SIZE;
	compress(key, last);
}
