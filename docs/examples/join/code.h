// The install code printed on a board, and the link key that board and hub make of it.
//
//   83FE D340 7A93 9723 A5C6 39B2 6916 D505 | C3B5   CRC-16/X-25, low byte first
//
// The key is the AES-MMO hash (Zigbee, annex B.6) of all 18 bytes.
#ifndef JOIN_CODE_H
#define JOIN_CODE_H

#include <stdbool.h>
#include <stdint.h>

enum { CODE_SIZE = 18, LINK_KEY_SIZE = 16 };

// code_parse reads 36 hex digits, grouped or not, and checks the CRC.
bool code_parse(uint8_t code[CODE_SIZE], const char *text);
void code_key(uint8_t key[LINK_KEY_SIZE], const uint8_t code[CODE_SIZE]);

#endif
