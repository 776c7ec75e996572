package flash

import "slices"

// read returns n bytes as a region hands them out. Of a part whose erased cells are ones
// it is the part's memory itself.
func (c *Chip) read(offset, n int) []byte {
	c.waver(offset, n)
	there := c.mem[offset : offset+n : offset+n]
	if !c.geometry.ErasedZero {
		return there
	}
	inverted := make([]byte, n)
	for i, b := range there {
		inverted[i] = ^b
	}
	return inverted
}

// write changes cells as programming does: those that become zero are stable from then on.
func (c *Chip) write(offset int, data []byte) {
	copy(c.mem[offset:], data)
	if c.geometry.ErasedZero {
		for i, b := range data {
			c.mem[offset+i] = ^b
		}
	}
	for i := range c.unstable {
		if at := c.unstable[i].offset - offset; at >= 0 && at < len(data) {
			c.unstable[i].bits &= data[at]
		}
	}
	c.unstable = slices.DeleteFunc(c.unstable, func(u unstableByte) bool { return u.bits == 0 })
}

// unstableByte is a byte of which some bits read differently each time.
type unstableByte struct {
	offset int
	bits   byte
}

// unsettle makes bits of a byte unstable, if the armed cut leaves it so.
func (c *Chip) unsettle(offset int, bits byte) {
	if c.cut.unstable() && bits != 0 {
		c.unstable = append(c.unstable, unstableByte{offset, bits})
	}
}

// waver gives unstable bits of the bytes to be read another value, or the same one. That
// is a change like any other for who wants to know whether to read again.
func (c *Chip) waver(offset, n int) {
	for _, u := range c.unstable {
		if u.offset < offset || u.offset >= offset+n {
			continue
		}
		c.touch(u.offset)
		c.reads++
		dice := byte((c.reads*0x9E3779B97F4A7C15 ^ uint64(u.offset)*0xBF58476D1CE4E5B9) >> 56)
		c.mem[u.offset] = c.mem[u.offset]&^u.bits | dice&u.bits
		c.sealed.keep(c.mem, u.offset, 1)
	}
}

// wavers reports whether some of n bytes read differently each time.
func (c *Chip) wavers(offset, n int) bool {
	return slices.ContainsFunc(c.unstable, func(u unstableByte) bool { return u.offset >= offset && u.offset < offset+n })
}
