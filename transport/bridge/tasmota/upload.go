package tasmota

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"strings"
	"time"

	"github.com/commshub/commshub/transport/bridge"
)

// upload is an image on its way by FileUpload. The device has no word for where
// it is: whatever is in doubt begins anew.
type upload struct {
	part         *io.SectionReader
	id           int // even, another one for each try
	offset       int64
	acknowledged bool
	digest       hash.Hash
	size         int // of the next piece, in bytes
	taken        bridge.Taken
	windows      uint32
	pieces       uint32
}

const (
	// fileTypeFirmware is FileUpload's type of a firmware image.
	fileTypeFirmware = 1
	// maxPiece bounds what a device can make the bridge send at once, in bytes.
	maxPiece = 4096
	// keepEvery is after how many pieces the hub is told how far the device is.
	keepEvery = 64
)

// clear ends what may be under way from before.
func (d *device) clear(now time.Time, out *bridge.Outbox) {
	part, err := d.job.image.Part(bridge.ContentImage)
	if err != nil {
		d.end(bridge.Failed, err.Error(), out)
		return
	}
	u := &d.job.upload
	*u = upload{part: part, id: 2 + 2*d.job.tries, digest: md5.New(), taken: u.taken, windows: u.windows, pieces: u.pieces}
	d.job.becomeClearing(now)
	d.command(out, "FileUpload", "0")
}

// handleUpload takes the answers to FileUpload.
func (d *device) handleUpload(now time.Time, r answer, out *bridge.Outbox) {
	j := d.job
	switch {
	case r.unknown:
		d.end(bridge.Failed, "the device has no command FileUpload (it is built without USE_MQTT_FILE)", out)
	case j.state == stateClearing && r.upload == "Aborted":
		d.start(now, out)
	case j.state == stateEnding && r.upload == "Done":
		d.becomeRestarting(now, restartTime, out)
	case r.upload == "Error 1":
		d.end(bridge.Failed, "the device's MQTT password is another one: see password-file", out)
	case r.upload == "Error 2":
		d.end(bridge.Failed, "the image does not fit the device", out)
	case strings.HasPrefix(r.upload, "Error"), strings.HasPrefix(r.upload, "Failed"), r.upload == "Aborted", r.upload == "MD5 mismatch":
		d.fail(now, "the device says "+r.upload, out)
	case r.id == j.upload.id && r.maxSize > 0 && (j.state == stateStarting || j.state == stateSending):
		j.upload.size = min(r.maxSize, maxPiece)
		j.becomeSending(now)
		j.upload.acknowledged = true
		d.sendPiece(now, out)
	}
}

// startMessage begins an upload.
type startMessage struct {
	Password string
	File     string
	ID       int `json:"Id"`
	Type     int
	Size     int64
}

func (d *device) start(now time.Time, out *bridge.Outbox) {
	j := d.job
	j.becomeStarting(now)
	d.upload(out, startMessage{
		Password: d.config.password, File: fmt.Sprintf("%08X.bin", j.image.FileVersion),
		ID: j.upload.id, Type: fileTypeFirmware, Size: j.upload.part.Size(),
	})
}

// pieceMessage is one piece of the image.
type pieceMessage struct {
	ID   int `json:"Id"`
	Data []byte
}

// endMessage ends an upload.
type endMessage struct {
	ID  int    `json:"Id"`
	MD5 string `json:"Md5"`
}

// sendPiece sends the next piece when the window has room for it, and after the
// last one the digest.
func (d *device) sendPiece(now time.Time, out *bridge.Outbox) {
	j := d.job
	u := &j.upload
	left := u.part.Size() - u.offset
	if left == 0 {
		j.becomeEnding(now)
		d.upload(out, endMessage{ID: u.id, MD5: hex.EncodeToString(u.digest.Sum(nil))})
		return
	}
	ok, until, opened := u.taken.Admit(now, d.config.Pacing)
	if !ok {
		j.deadline = until
		return
	}
	data := make([]byte, min(int64(u.size), left))
	if _, err := u.part.ReadAt(data, u.offset); err != nil {
		d.end(bridge.Failed, fmt.Sprintf("read image: %v", err), out)
		return
	}
	u.digest.Write(data)
	u.offset += int64(len(data))
	u.pieces++
	if opened {
		u.windows++
	}
	u.acknowledged = false
	j.deadline = now.Add(answerTime)
	d.dirty = d.dirty || opened || u.pieces%keepEvery == 0
	d.upload(out, pieceMessage{ID: u.id, Data: data})
}

func (d *device) upload(out *bridge.Outbox, message any) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // the device's parser is a small one
	if err := e.Encode(message); err != nil {
		out.Warn(fmt.Sprintf("%s: %v", d.label(), err))
		return
	}
	d.command(out, "FileUpload", strings.TrimSuffix(b.String(), "\n"))
}
