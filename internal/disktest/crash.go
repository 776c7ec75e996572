//go:build linux && amd64

package disktest

import (
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
)

// sector is what a disk writes whole or not at all.
const sector = 512

// inode is a file or folder, with what happened to it since it was made.
type inode struct {
	folder  bool
	names   map[string]*inode // of a folder, as the running system sees it
	content []byte            // durable
	writes  []*pending
}

// pending is a change that may or may not be on the disk yet. A change of a name is one
// of its folder.
type pending struct {
	// of a file
	data []byte
	size int64 // to which it is cut, if data is nil
	at   int64
	// of a name
	folder *inode
	name   string
	to     *inode   // nil: removed
	after  *pending // is not there without

	durable bool
	lost    bool // a sync failed after it: later ones do not bring it back
}

// device is a disk that loses what was not synced.
type device struct {
	root  *inode
	names []*pending // in order
}

// Crash is what a power cut at some instant leaves.
type Crash struct {
	Operation int // number of operations before it
	Mark      int // what was noted last
	device    *device
}

// Crashes goes through the instants after each operation of the code.
func (d *Disk) Crashes() iter.Seq[Crash] {
	return func(yield func(Crash) bool) {
		v := &device{root: &inode{folder: true, names: map[string]*inode{}}}
		c := Crash{device: v}
		if !yield(c) {
			return
		}
		for _, op := range d.ops {
			v.apply(op)
			if op.kind == opMark {
				c.Mark = op.mark
			} else {
				c.Operation++
			}
			if !yield(c) {
				return
			}
		}
	}
}

// End returns what a power cut leaves after all operations.
func (d *Disk) End() (last Crash) {
	for c := range d.Crashes() {
		last = c
	}
	return last
}

// find returns what is at a path, as the running system sees it.
func (v *device) find(path string) *inode {
	if path == "." {
		return v.root
	}
	folder := v.find(filepath.Dir(path))
	if folder == nil {
		return nil
	}
	return folder.names[filepath.Base(path)]
}

// link puts a name in its folder; nil removes it.
func (v *device) link(path string, to *inode, after *pending) *pending {
	folder, name := v.find(filepath.Dir(path)), filepath.Base(path)
	if to == nil {
		delete(folder.names, name)
	} else {
		folder.names[name] = to
	}
	p := &pending{folder: folder, name: name, to: to, after: after}
	v.names = append(v.names, p)
	return p
}

func (v *device) apply(op operation) {
	if op.failed && op.kind != opSync {
		return
	}
	switch op.kind {
	case opCreate:
		v.link(op.path, &inode{}, nil)
	case opMkdir:
		v.link(op.path, &inode{folder: true, names: map[string]*inode{}}, nil)
	case opRemove:
		v.link(op.path, nil, nil)
	case opRename:
		there := v.link(op.to, v.find(op.path), nil)
		v.link(op.path, nil, there)
	case opWrite:
		f := v.find(op.path)
		f.writes = append(f.writes, &pending{data: op.data, at: op.offset})
	case opTruncate:
		f := v.find(op.path)
		f.writes = append(f.writes, &pending{size: op.offset})
	case opSync:
		v.sync(v.find(op.path), op.failed)
	case opMark:
	}
}

// sync makes durable what happened to a file, or to the names in a folder. After one
// that failed the system takes for clean what it could not write of a file; names it keeps
// in a journal, and a later sync brings them.
func (v *device) sync(of *inode, failed bool) {
	changes := of.writes
	if of.folder {
		changes = nil
		for _, p := range v.names {
			if p.folder == of {
				changes = append(changes, p)
			}
		}
	}
	for _, p := range changes {
		switch {
		case failed && !p.durable && !of.folder:
			p.lost = true
		case !failed && !p.lost:
			p.durable = true
		}
	}
	of.settle()
}

// settle writes into the content what is durable and has nothing uncertain before it.
func (f *inode) settle() {
	n := 0
	for n < len(f.writes) && f.writes[n].durable {
		f.content = f.writes[n].on(f.content, func() bool { return true })
		n++
	}
	f.writes = f.writes[n:]
}

// on carries a change out, each sector of it as keep says.
func (p *pending) on(b []byte, keep func() bool) []byte {
	if p.data == nil {
		if keep() {
			b = append(b, make([]byte, max(0, int(p.size)-len(b)))...)[:p.size]
		}
		return b
	}
	for from := 0; from < len(p.data); from += sector {
		if !keep() {
			continue
		}
		part := p.data[from:min(from+sector, len(p.data))]
		at := int(p.at) + from
		b = append(b, make([]byte, max(0, at+len(part)-len(b)))...)
		copy(b[at:], part)
	}
	return b
}

// Write writes what is left into a folder, which must not be there. keep says of each
// change that was not synced, and of each sector of it, whether the disk had it already.
func (c Crash) Write(dir string, keep func() bool) error {
	kept := map[*pending]bool{}
	names := map[*inode]map[string]*inode{}
	for _, p := range c.device.names {
		kept[p] = p.durable || p.after != nil && kept[p.after] && keep() || p.after == nil && keep()
		if !kept[p] {
			continue
		}
		if names[p.folder] == nil {
			names[p.folder] = map[string]*inode{}
		}
		if p.to == nil {
			delete(names[p.folder], p.name)
		} else {
			names[p.folder][p.name] = p.to
		}
	}
	return c.device.root.write(dir, names, keep)
}

func (f *inode) write(path string, names map[*inode]map[string]*inode, keep func() bool) error {
	if !f.folder {
		content := append([]byte(nil), f.content...)
		for _, p := range f.writes {
			content = p.on(content, func() bool { return p.durable || keep() })
		}
		return os.WriteFile(path, content, 0o600)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(names[f])) { // so that dice fall the same again
		if err := names[f][name].write(filepath.Join(path, name), names, keep); err != nil {
			return fmt.Errorf("write what is left: %w", err)
		}
	}
	return nil
}

// Keep is what a disk did with the changes that nobody had synced.
type Keep struct {
	Name string
	Keep func() bool // for [Crash.Write]
}

// Keeps returns those to try: nothing, everything, and several parts.
func Keeps(dice *rand.Rand) []Keep {
	one := func(of int) func() bool { return func() bool { return dice.IntN(of) == 0 } }
	return []Keep{
		{"nothing", func() bool { return false }}, {"everything", func() bool { return true }},
		{"a half", one(2)}, {"another half", one(2)}, {"an eighth", one(8)}, {"all but an eighth", func() bool { return dice.IntN(8) != 0 }},
	}
}
