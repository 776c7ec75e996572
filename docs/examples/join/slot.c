#define _POSIX_C_SOURCE 200809L
#include "slot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char id_file[] = "image.id", id_new[] = "image.id.new", part_file[] = "image.part", whole_file[] = "image.ota";

static bool gone(int folder, const char *name) { return unlinkat(folder, name, 0) == 0 || errno == ENOENT; }

static bool write_all(int file, const uint8_t *data, size_t length, off_t offset) {
	while (length > 0) {
		ssize_t n = pwrite(file, data, length, offset);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			return false;
		}
		data += n;
		length -= (size_t)n;
		offset += n;
	}
	return true;
}

// read_id reads image.id. A file that is not as expected counts as none.
static bool read_id(struct slot *s) {
	char text[64];
	int file = openat(s->folder, id_file, O_RDONLY);
	if (file < 0) {
		return false;
	}
	ssize_t n = read(file, text, sizeof text - 1);
	close(file);
	if (n <= 0) {
		return false;
	}
	text[n] = 0;
	unsigned manufacturer, type, version, size;
	if (sscanf(text, "%4x %4x %8x %8u", &manufacturer, &type, &version, &size) != 4) {
		return false;
	}
	s->image = (struct image_id){(uint16_t)manufacturer, (uint16_t)type, version};
	s->size = size;
	return true;
}

// write_id replaces image.id in one step.
static bool write_id(struct slot *s) {
	char text[64];
	int n = snprintf(text, sizeof text, "%04x %04x %08x %u\n", s->image.manufacturer, s->image.type,
			 (unsigned)s->image.version, (unsigned)s->size);
	int file = openat(s->folder, id_new, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (file < 0) {
		return false;
	}
	bool written = write_all(file, (const uint8_t *)text, (size_t)n, 0) && fsync(file) == 0;
	return close(file) == 0 && written && renameat(s->folder, id_new, s->folder, id_file) == 0 && fsync(s->folder) == 0;
}

bool slot_open(struct slot *s, const char *folder) {
	memset(s, 0, sizeof *s);
	s->part = -1;
	if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
		s->folder = -1;
		return false;
	}
	s->folder = open(folder, O_RDONLY | O_DIRECTORY);
	if (s->folder < 0) {
		return false;
	}
	if (!read_id(s)) {
		return true; // nothing is stored
	}
	s->part = openat(s->folder, whole_file, O_RDONLY);
	s->held = s->part >= 0;
	if (!s->held) {
		s->part = openat(s->folder, part_file, O_RDWR | O_CREAT, 0600);
	}
	struct stat about;
	if (s->part < 0 || fstat(s->part, &about) != 0) {
		return false;
	}
	if (about.st_size > (off_t)s->size) {
		return slot_discard(s);
	}
	s->offset = (uint32_t)about.st_size;
	s->used = true;
	return true;
}

void slot_close(struct slot *s) {
	if (s->part >= 0) {
		close(s->part);
	}
	if (s->folder >= 0) {
		close(s->folder);
	}
	s->part = s->folder = -1;
}

bool slot_discard(struct slot *s) {
	if (s->part >= 0) {
		close(s->part);
		s->part = -1;
	}
	s->used = s->held = false;
	s->offset = 0;
	return gone(s->folder, part_file) && gone(s->folder, whole_file) && gone(s->folder, id_file) && fsync(s->folder) == 0;
}

// The bytes go before the name of the new image is written: what is cut off in
// between is an old name without bytes, never a new name with old bytes.
bool slot_begin(struct slot *s, const struct image_id *image, uint32_t size) {
	if (!slot_discard(s)) {
		return false;
	}
	s->image = *image;
	s->size = size;
	s->part = openat(s->folder, part_file, O_RDWR | O_CREAT | O_TRUNC, 0600);
	s->used = s->part >= 0 && write_id(s);
	return s->used;
}

bool slot_append(struct slot *s, const uint8_t *data, uint32_t length) {
	if (!s->used || s->held || length > s->size - s->offset) {
		errno = EINVAL;
		return false;
	}
	if (!write_all(s->part, data, length, s->offset)) {
		return false;
	}
	s->offset += length;
	return true;
}

bool slot_sync(struct slot *s) { return s->part < 0 || fsync(s->part) == 0; }

bool slot_read(struct slot *s, uint32_t offset, uint8_t *data, uint32_t length) {
	while (length > 0) {
		ssize_t n = pread(s->part, data, length, offset);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			return false;
		}
		data += n;
		offset += (uint32_t)n;
		length -= (uint32_t)n;
	}
	return true;
}

bool slot_hold(struct slot *s) {
	s->held = slot_sync(s) && renameat(s->folder, part_file, s->folder, whole_file) == 0 && fsync(s->folder) == 0;
	return s->held;
}
