package filestreams

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/transport/bridge"
)

// job returns the topic of a request about the job of a file.
func jobTopic(file []byte, request string) string {
	return "$aws/things/thermostat/jobs/" + strings.Replace(request, "JOB", "fw-"+imageOf(file).Hash.String()[:32], 1)
}

func TestEndOfAJobIsTheEndOfTheUpdate(t *testing.T) {
	file := sampleFile(300)
	for update, want := range map[string]struct {
		state   bridge.State
		outcome string
	}{
		`{"status":"SUCCEEDED"}`: {bridge.Activated, ""},
		`{"status":"FAILED","statusDetails":{"reason":"signature, code 0x21"}}`: {bridge.Failed, "the device says FAILED: signature, code 0x21"},
		`{"status":"REJECTED"}`:    {bridge.Failed, "the device says REJECTED"},
		`{"status":"IN_PROGRESS"}`: {bridge.Downloading, ""},
	} {
		t.Run(update, func(t *testing.T) {
			a := newAdapter(t, plainDevice, file)
			a.HandleTimer(noon, new(bridge.Outbox)) // what is new at the start
			ask(t, a, noon, jobTopic(file, "JOB/update"), []byte(update))
			if r := a.devices[0].report(); r.State != want.state || r.Outcome != want.outcome {
				t.Errorf("report %+v, want %+v", r, want)
			}
			at, _ := a.NextTimer()
			if want.state.Ended() != at.Equal(noon) {
				t.Errorf("told at %v", at)
			}
			a = restart(t, a, noon.Add(time.Hour), plainDevice, file)
			if r := a.devices[0].report(); r.State != want.state || r.Outcome != want.outcome {
				t.Errorf("after a restart: %+v, want %+v", r, want)
			}
		})
	}
}

func TestNewJobIsNotified(t *testing.T) {
	file := sampleFile(300)
	a := newAdapter(t, plainDevice, nil)
	var out bridge.Outbox
	a.HandleHome(noon, homeWith(imageOf(file)), &out)
	var told []string
	for _, m := range out.Messages() {
		if !m.Retained {
			told = append(told, fmt.Sprint(m.Topic, strings.Contains(string(m.Payload), imageOf(file).Hash.String()[:32])))
		}
	}
	if got := fmt.Sprint(told); got != "[$aws/things/thermostat/jobs/notifytrue $aws/things/thermostat/jobs/notify-nexttrue]" {
		t.Errorf("told %s", got)
	}
}

func TestJobCarriesTheSignature(t *testing.T) {
	signature := []byte{0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x02}
	elements := ota.SubElement{Tag: ota.TagUpgradeImage, Data: sampleFile(500)}.Append(nil)
	elements = ota.SubElement{Tag: ota.TagImageSignature, Data: signature}.Append(elements)
	h := ota.ImageHeader{ImageID: ota.ImageID{FileVersion: 0x02000000}}
	h.TotalSize = uint32(h.Size() + len(elements))
	file := append(h.Append(nil), elements...)
	for content, want := range map[string]string{
		"upgrade-image": `"filesize":500,"fileid":1,"certfile":"/keys/a.pem","sig-sha256-ecdsa":"MAYCAQECAQI="`,
		"file":          fmt.Sprintf(`"filesize":%d,"fileid":1,"certfile":"/keys/a.pem"}`, len(file)), // it signs the other
	} {
		a := newAdapter(t, "{id: 00DB12345678B001, thing: thermostat, file: 1, certfile: /keys/a.pem, content: "+content+"}", file)
		answers := ask(t, a, noon, jobTopic(file, "$next/get"), nil).Messages()
		if len(answers) != 1 || !strings.Contains(string(answers[0].Payload), want) {
			t.Errorf("%s: %s, want %s", content, answers[0].Payload, want)
		}
	}
}

// FuzzJob sends anything about jobs. What is answered is one message on the topic
// of the request, and a refused request changes nothing.
func FuzzJob(f *testing.F) {
	file := sampleFile(300)
	f.Add("JOB/update", []byte(`{"status":"IN_PROGRESS","statusDetails":{"progress":"50%"},"expectedVersion":"1"}`))
	f.Add("JOB/update", []byte(`{"status":"SUCCEEDED","clientToken":"x"}`))
	f.Add("$next/get", []byte(`{}`))
	f.Add("start-next", []byte(`{"clientToken":"x"}`))
	f.Fuzz(func(t *testing.T, request string, payload []byte) {
		a := newAdapter(t, plainDevice, file)
		before := a.devices[0].report()
		topic := jobTopic(file, request)
		for _, m := range ask(t, a, noon, topic, payload).Messages() {
			switch m.Topic {
			case topic + "/accepted":
			case topic + "/rejected":
				if a.devices[0].report() != before || a.devices[0].offer.job.Version != 1 {
					t.Fatal("a refused request changed something")
				}
			default:
				t.Fatalf("answer on %s", m.Topic)
			}
			if m.Retained || !json.Valid(m.Payload) || len(m.Payload) > 2*maxJobRequest {
				t.Fatalf("answer %s", m.Payload)
			}
		}
	})
}

func TestAJobThatHasEndedStaysSo(t *testing.T) {
	defer func() {
		if got, want := fmt.Sprint(recover()), "filestreams: a job that is FAILED cannot become IN_PROGRESS"; got != want {
			t.Errorf("panicked with %q, want %q", got, want)
		}
	}()
	j := job{Status: jobFailed}
	j.become(time.Time{}, jobInProgress, nil)
}
