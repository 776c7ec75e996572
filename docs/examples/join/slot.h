// The place where an image is stored while it comes in: on a board a slot in
// flash, here files in a folder.
//
//   image.id    which image this is, and how long; replaced as a whole
//   image.part  its bytes so far; the length of this file is the next offset
//   image.ota   the same file when it is whole and was found good
//
// A process killed at any point goes on at the offset it finds.
#ifndef JOIN_SLOT_H
#define JOIN_SLOT_H

#include <stdbool.h>
#include <stdint.h>

#include "zcl.h"

struct slot {
	int folder, part; // file descriptors, -1 if not open
	bool used;        // image and size are set
	bool held;        // whole and good
	struct image_id image;
	uint32_t size, offset;
};

// slot_open finds what is stored in a folder. It returns false, with errno set, if
// the folder cannot be used.
bool slot_open(struct slot *s, const char *folder);
void slot_close(struct slot *s);

// slot_begin forgets what is stored and starts an image at offset 0.
bool slot_begin(struct slot *s, const struct image_id *image, uint32_t size);
// slot_append stores the next bytes of the image.
bool slot_append(struct slot *s, const uint8_t *data, uint32_t length);
// slot_sync returns when everything is on the disk.
bool slot_sync(struct slot *s);
// slot_read reads length bytes of the image from offset on.
bool slot_read(struct slot *s, uint32_t offset, uint8_t *data, uint32_t length);
// slot_hold marks the image as whole and good.
bool slot_hold(struct slot *s);
// slot_discard forgets what is stored.
bool slot_discard(struct slot *s);

#endif
