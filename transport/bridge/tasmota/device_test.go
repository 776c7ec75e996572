package tasmota

import (
	"cmp"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/commshub/commshub/transport/bridge"
)

// simulated is a device with Tasmota as far as firmware goes: commands in,
// messages out, with the limits of its MQTT buffer.
type simulated struct {
	topic, version, password string
	image                    []byte // that it restarts with, once taken
	next                     string // version of that image
	noUpload                 bool   // built without USE_MQTT_FILE
	fetch                    func(url string) ([]byte, error)
	corrupt                  int  // pieces to damage on the way
	deaf                     int  // acknowledgements to lose
	small                    bool // takes an image in two steps, with the minimal build between
	stuck                    bool // and never makes the second

	build   string   // in brackets behind the version
	fetched []string // addresses

	url      string
	id       int
	size     int
	received []byte
	pieces   int
	aborted  int
	started  int
}

// bufferSize is that of the device's MQTT library, for topic and payload.
const bufferSize = 1200

// say is what the device publishes.
func (s *simulated) say(prefix, level, payload string) bridge.Message {
	return bridge.Message{Topic: prefix + "/" + s.topic + "/" + level, Payload: []byte(payload), Retained: level == "LWT"}
}

// handle takes a command.
func (s *simulated) handle(m bridge.Message) []bridge.Message {
	command, ok := strings.CutPrefix(m.Topic, "cmnd/"+s.topic+"/")
	if !ok || len(m.Topic)+len(m.Payload)+7 > bufferSize {
		return nil
	}
	argument := string(m.Payload)
	switch strings.ToLower(command) {
	case "status":
		all := []bridge.Message{s.say("stat", "STATUS2", fmt.Sprintf(`{"StatusFWR":{"Version":"%s(%s)","BuildDateTime":"2023-08-01T12:00:00"}}`, s.version, cmp.Or(s.build, "tasmota")))}
		if s.build == "minimal" && !s.stuck {
			s.fetched, s.build = append(s.fetched, s.url), ""
			all = append(all, s.restart()...)
		}
		return all
	case "otaurl":
		if argument != "" {
			s.url = argument
		}
		return []bridge.Message{s.result("OtaUrl", s.url)}
	case "upgrade":
		return s.upgrade()
	case "fileupload":
		if s.noUpload {
			return []bridge.Message{s.say("stat", "RESULT", `{"Command":"Unknown","Input":"FILEUPLOAD"}`)}
		}
		return s.fileUpload(argument)
	default:
		return nil
	}
}

func (s *simulated) result(name, value string) bridge.Message {
	text, err := json.Marshal(map[string]string{name: value})
	if err != nil {
		panic(err)
	}
	return s.say("stat", "RESULT", string(text))
}

func (s *simulated) upgrade() []bridge.Message {
	all := []bridge.Message{s.result("Upgrade", fmt.Sprintf("Version %s from %s", s.version, s.url))}
	image, err := s.fetch(s.url)
	if err != nil {
		return append(all, s.say("stat", "UPGRADE", `{"Upgrade":"Failed Wrong HTTP code"}`))
	}
	s.image = image
	s.fetched = append(s.fetched, s.url)
	if s.small {
		s.build = "minimal"
	}
	all = append(all, s.say("stat", "UPGRADE", `{"Upgrade":"Successful. Restarting"}`))
	return append(all, s.restart()...)
}

func (s *simulated) restart() []bridge.Message {
	s.version, s.id = s.next, 0
	return []bridge.Message{s.say("tele", "LWT", "Offline"), s.say("tele", "LWT", "Online")}
}

func (s *simulated) upload(text string) bridge.Message {
	return s.say("stat", "FILEUPLOAD", fmt.Sprintf(`{"FileUpload":"%s"}`, text))
}

func (s *simulated) fileUpload(argument string) []bridge.Message {
	var c struct {
		Password  *string
		ID        int `json:"Id"`
		Type      int
		Size      int
		Data, Md5 string
	}
	if strings.Contains(argument, `\u`) {
		return nil // its parser is a small one
	}
	if len(argument) > 8 && json.Unmarshal([]byte(argument), &c) != nil {
		return nil
	}
	switch {
	case s.id == 0 && c.ID > 0 && c.Size > 0:
		if c.Password == nil || *c.Password != s.password {
			return []bridge.Message{s.upload("Error 1")}
		}
		s.id, s.size, s.received = c.ID, c.Size, nil
		s.started++
		return []bridge.Message{s.upload("Started"), s.more()}
	case s.id != c.ID || c.ID == 0:
		s.id = 0
		s.aborted++
		return []bridge.Message{s.upload("Aborted")}
	case c.Md5 != "" && len(s.received) == s.size:
		s.id = 0
		sum := md5.Sum(s.received)
		if c.Md5 != hex.EncodeToString(sum[:]) {
			return []bridge.Message{s.upload("MD5 mismatch")}
		}
		s.image = s.received
		return append([]bridge.Message{s.upload("Done")}, s.restart()...)
	default:
		data, err := base64.StdEncoding.DecodeString(c.Data)
		if err != nil || len(data) > s.size-len(s.received) {
			return nil
		}
		if s.corrupt > 0 {
			s.corrupt--
			data[0] ^= 1
		}
		s.received = append(s.received, data...)
		s.pieces++
		if s.deaf > 0 {
			s.deaf--
			return nil
		}
		return []bridge.Message{s.more()}
	}
}

// more asks for the next piece. The size is that of its data in Base64 within the
// buffer, as the driver reckons it.
func (s *simulated) more() bridge.Message {
	room := bufferSize - 5 - len("stat/"+s.topic+"/FILEUPLOAD") - 1
	return s.say("stat", "FILEUPLOAD", fmt.Sprintf(`{"Id":%d,"MaxSize":%d}`, s.id, (room-21)/4*3-2))
}
