//go:build linux && amd64

package disktest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Disk stands between code and a folder: it sees each system call by which the code
// changes what is in the folder, lets one of them fail, and remembers all of them, so
// that [Disk.Crashes] can tell what a power cut would have left. Nothing in the code is
// there for it: the kernel hands the calls over (seccomp's user notification).
type Disk struct {
	dir   string
	fault Fault
	count int // operations so far
	full  bool

	mu  sync.Mutex // the code and who makes its calls share what follows
	ops []operation
}

// Fault is what goes wrong.
type Fault struct {
	At    int           // the operation that fails, from 1; 0 for none
	Errno syscall.Errno // what it fails with
	Short bool          // a write writes half of its bytes, and what would go on with it fails
}

// operation is one change of the folder, or one wish to make changes durable. Paths are
// relative to the folder.
type operation struct {
	kind   kind
	path   string
	to     string // of a rename
	offset int64  // of a write; the size of a truncation
	data   []byte
	failed bool
	mark   int
}

// kind is what an operation does.
type kind uint8

const (
	opCreate kind = iota
	opMkdir
	opRemove
	opRename
	opWrite
	opTruncate
	opSync
	opMark
)

// NewDisk watches a folder, which must be there and empty.
func NewDisk(dir string, fault Fault) *Disk { return &Disk{dir: dir, fault: fault} }

// Count returns the number of operations so far.
func (d *Disk) Count() int { return d.count }

// Mark notes that the code has acknowledged something at this instant; [Disk.Crashes]
// says for each crash what was noted last. Only code inside Run calls it.
func (d *Disk) Mark(n int) { d.add(operation{kind: opMark, mark: n}) }

func (d *Disk) add(op operation) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ops = append(d.ops, op)
}

// Run runs f, whose calls from its own goroutine go through the disk. f must not end
// its goroutine, as [testing.T.Fatal] does.
func (d *Disk) Run(f func()) error {
	var end [2]int // what is written to says that f is done
	if err := unix.Pipe2(end[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	listener := make(chan int)
	refused := make(chan error, 1)
	done := make(chan struct{})
	go func() {
		// The thread keeps its filter, so no other goroutine may have it: it ends with
		// this one.
		runtime.LockOSThread()
		defer close(done)
		fd, err := handOver()
		if err != nil {
			refused <- err
			close(listener)
			return
		}
		listener <- fd
		f()
	}()
	fd, ok := <-listener
	if !ok {
		return fmt.Errorf("have system calls handed over: %w", <-refused)
	}
	go func() {
		<-done
		_ = unix.Close(end[1]) // wakes serve
	}()
	err := d.serve(fd, end[0])
	if err == nil {
		<-done // what f wrote is there for whoever called
	}
	return errors.Join(err, unix.Close(fd), unix.Close(end[0]))
}

// notice and answer are the kernel's struct seccomp_notif and struct seccomp_notif_resp.
type notice struct {
	id         uint64
	pid, flags uint32
	number     int32
	arch       uint32
	ip         uint64
	args       [6]uint64
}

type answer struct {
	id    uint64
	value int64
	errno int32
	flags uint32
}

// made is a call that was made, with its answer.
type made struct {
	number int32
	args   [6]uint64
	value  int64
	errno  unix.Errno
}

// serve answers the calls of a thread until the pipe ends.
func (d *Disk) serve(fd, end int) error {
	var late *made // whose answer did not come in time
	for {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(end)}}
		if _, err := unix.Poll(poll, -1); errors.Is(err, unix.EINTR) {
			continue
		} else if err != nil {
			return fmt.Errorf("wait for a system call: %w", err)
		}
		if poll[0].Revents&unix.POLLIN == 0 {
			return nil
		}
		var n notice
		if err := control(fd, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&n)); err != nil {
			if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EINTR) {
				continue // a signal came first: the call will be made again
			}
			return fmt.Errorf("take a system call: %w", err)
		}
		if late == nil || late.number != n.number || late.args != n.args {
			late = &made{number: n.number, args: n.args}
			late.value, late.errno = d.call(n)
		}
		a := answer{id: n.id, value: late.value, errno: -int32(late.errno)}
		if err := control(fd, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&a)); errors.Is(err, unix.ENOENT) {
			continue // a signal came before the answer: the call will be made again, and has been made
		} else if err != nil {
			return fmt.Errorf("answer a system call: %w", err)
		}
		late = nil
	}
}

func control(fd int, request uintptr, what unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(what)); errno != 0 {
		return errno
	}
	return nil
}

// call makes the call that a thread wanted to make, in its place, unless it is to fail.
// What the process has (memory, files) is the same.
func (d *Disk) call(n notice) (value int64, errno syscall.Errno) {
	op, ours := d.operation(n)
	if !ours {
		return make6(n.number, n.args)
	}
	d.count++
	strikes := d.count == d.fault.At
	if d.full && op.kind == opWrite {
		d.full = false
		return 0, d.fault.Errno
	}
	switch {
	case strikes && d.fault.Short && op.kind == opWrite && len(op.data) > 1:
		d.full = true
		n.args[2] /= 2
		op.data = op.data[:n.args[2]]
	case strikes:
		op.failed = true
		d.add(op)
		return 0, d.fault.Errno
	}
	if op.kind != opSync { // what is durable, Crashes decides
		value, errno = make6(n.number, n.args)
	}
	if errno == 0 {
		d.add(op)
	}
	return value, errno
}

func make6(number int32, a [6]uint64) (value int64, errno syscall.Errno) {
	r, _, errno := unix.Syscall6(uintptr(number), uintptr(a[0]), uintptr(a[1]), uintptr(a[2]), uintptr(a[3]), uintptr(a[4]), uintptr(a[5]))
	return int64(r), errno
}

// operation reads what a call is about, and reports whether it changes the folder.
func (d *Disk) operation(n notice) (op operation, ours bool) {
	a := n.args
	switch n.number {
	case unix.SYS_WRITE:
		at, err := unix.Seek(int(a[0]), 0, 1)
		if err != nil {
			return op, false // a pipe
		}
		op = operation{kind: opWrite, path: d.open(a[0]), offset: at, data: memory(a[1], a[2])}
	case unix.SYS_PWRITE64:
		op = operation{kind: opWrite, path: d.open(a[0]), offset: int64(a[3]), data: memory(a[1], a[2])}
	case unix.SYS_FTRUNCATE:
		op = operation{kind: opTruncate, path: d.open(a[0]), offset: int64(a[1])}
	case unix.SYS_FSYNC, unix.SYS_FDATASYNC:
		op = operation{kind: opSync, path: d.open(a[0])}
	case unix.SYS_MKDIRAT:
		op = operation{kind: opMkdir, path: d.named(a[0], a[1])}
	case unix.SYS_UNLINKAT:
		op = operation{kind: opRemove, path: d.named(a[0], a[1])}
	case unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2:
		op = operation{kind: opRename, path: d.named(a[0], a[1]), to: d.named(a[2], a[3])}
	case unix.SYS_OPENAT:
		op = operation{kind: opCreate, path: d.named(a[0], a[1])}
		if _, err := os.Lstat(filepath.Join(d.dir, op.path)); a[2]&unix.O_CREAT == 0 || err == nil {
			return op, false
		}
	}
	return op, op.path != ""
}

// open returns the path of an open file in the folder; empty for another.
func (d *Disk) open(fd uint64) string {
	path, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", int32(fd)))
	if err != nil || strings.HasSuffix(path, " (deleted)") {
		return ""
	}
	return d.inside(path)
}

// named returns the path of a name below an open folder; empty for one that is not in
// the folder.
func (d *Disk) named(fd, address uint64) string {
	name := text(address)
	switch {
	case filepath.IsAbs(name):
		return d.inside(name)
	case int32(fd) == unix.AT_FDCWD:
		return ""
	}
	return d.inside(filepath.Join(d.dir, d.open(fd), name))
}

func (d *Disk) inside(path string) string {
	rel, err := filepath.Rel(d.dir, path)
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		return ""
	}
	return rel
}

// memory copies what stands at an address of this process.
func memory(address, size uint64) []byte {
	b := make([]byte, size)
	n, err := unix.ProcessVMReadv(os.Getpid(), []unix.Iovec{{Base: unsafe.SliceData(b), Len: size}},
		[]unix.RemoteIovec{{Base: uintptr(address), Len: int(size)}}, 0)
	if err != nil {
		return nil
	}
	return b[:n]
}

// text reads a string that ends with a zero, up to the end of its page if it goes on.
func text(address uint64) string {
	const longest = 512
	var b []byte
	for len(b) < longest {
		b = append(b, memory(address+uint64(len(b)), 1)...)
		if b[len(b)-1] == 0 {
			return string(b[:len(b)-1])
		}
	}
	return string(b)
}

// handOver has the calls of this thread that change files handed over, and returns who
// gets them. The runtime's own writes, to the standard files or of eight bytes, are not
// among them: it would wait for us while we wait for it.
func handOver() (listener int, err error) {
	const (
		load    = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal   = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		greater = unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K
		give    = unix.BPF_RET | unix.BPF_K
		file    = 16 // where the first argument is in struct seccomp_data
		length  = 16 + 2*8
	)
	calls := []uint32{
		unix.SYS_PWRITE64, unix.SYS_FTRUNCATE, unix.SYS_FSYNC, unix.SYS_FDATASYNC, unix.SYS_MKDIRAT,
		unix.SYS_UNLINKAT, unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2, unix.SYS_OPENAT,
	}
	filter := []unix.SockFilter{{Code: load, K: 0}}
	for i, call := range calls {
		filter = append(filter, unix.SockFilter{Code: equal, K: call, Jt: uint8(len(calls) - i + 5)})
	}
	filter = append(filter,
		unix.SockFilter{Code: equal, K: unix.SYS_WRITE, Jf: 4},
		unix.SockFilter{Code: load, K: file},
		unix.SockFilter{Code: greater, K: 2, Jf: 2},
		unix.SockFilter{Code: load, K: length},
		unix.SockFilter{Code: greater, K: 8, Jt: 1},
		unix.SockFilter{Code: give, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: give, K: unix.SECCOMP_RET_USER_NOTIF},
	)
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return 0, err
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: unsafe.SliceData(filter)}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&program)))
	runtime.KeepAlive(filter)
	if errno != 0 {
		return 0, errno
	}
	return int(fd), nil
}
