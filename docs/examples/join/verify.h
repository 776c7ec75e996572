// Is the stored image the one that was meant? SHA-256 of the whole file, and the
// supplier's ECDSA signature over SHA-256 of the Manufacturer Image:
//
//   OTA header | Manufacturer Image | flag byte | 40 | r (32 bytes) | s (32 bytes)
//               \____ signed ______/
#ifndef JOIN_VERIFY_H
#define JOIN_VERIFY_H

#include <mbedtls/pk.h>

#include "slot.h"

enum { SHA256_SIZE = 32 };

// verify_sha256 computes SHA-256 of length bytes of the stored image from offset on.
bool verify_sha256(struct slot *s, uint32_t offset, uint32_t length, uint8_t digest[SHA256_SIZE]);

// verify_image returns NULL if the stored image is good, else what is wrong with it.
const char *verify_image(struct slot *s, mbedtls_pk_context *supplier);

#endif
