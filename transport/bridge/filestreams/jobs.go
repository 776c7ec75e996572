package filestreams

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/commshub/commshub/transport/bridge"
)

// Jobs are how AWS IoT tells a thing that there is something to do, and hears how
// it went. Divergence: of them this is what an update needs, one job at a time, named
// after the stream, in JSON, without time-outs; notices are not kept by the broker.
//
//	$aws/things/<thing>/jobs/…        device → bridge → device
//	  notify, notify-next             there is a job, or none any more
//	  get, $next/get, <job>/get       which jobs, and what is in one
//	  start-next                      the device begins
//	  <job>/update                    IN_PROGRESS, SUCCEEDED, FAILED or REJECTED
//
// A request is answered on its topic with /accepted or /rejected behind it.

// jobStatus is how far the device is with its job, in its own words.
type jobStatus string

const (
	jobQueued     jobStatus = "QUEUED"
	jobInProgress jobStatus = "IN_PROGRESS"
	jobSucceeded  jobStatus = "SUCCEEDED"
	jobFailed     jobStatus = "FAILED"
	jobRejected   jobStatus = "REJECTED"
)

func (s jobStatus) ended() bool { return s == jobSucceeded || s == jobFailed || s == jobRejected }

// job is an execution of a job.
type job struct {
	Status    jobStatus         `json:"status"`
	Details   map[string]string `json:"details,omitempty"`
	QueuedAt  int64             `json:"queued_at"` // seconds since 1970
	UpdatedAt int64             `json:"updated_at"`
	Version   int64             `json:"version"` // one more with each change
}

func newJob(now time.Time) job {
	return job{Status: jobQueued, QueuedAt: now.Unix(), UpdatedAt: now.Unix(), Version: 1}
}

// become moves a job to what the device says. One that has ended stays so: any more
// is a programmer's error and panics.
func (j *job) become(now time.Time, s jobStatus, details map[string]string) {
	if j.Status.ended() || s == jobQueued {
		panic(fmt.Sprintf("filestreams: a job that is %s cannot become %s", j.Status, s))
	}
	j.Status, j.UpdatedAt = s, now.Unix()
	j.Version++
	if details != nil {
		j.Details = details
	}
}

// jobRequest is what a device asks.
type jobRequest struct {
	Token           *string           `json:"clientToken"`
	Status          jobStatus         `json:"status"`
	Details         map[string]string `json:"statusDetails"`
	ExpectedVersion json.RawMessage   `json:"expectedVersion"` // a number, or one in a string
	IncludeState    bool              `json:"includeJobExecutionState"`
	IncludeDocument bool              `json:"includeJobDocument"`
}

// Limits of a request.
const (
	maxJobRequest = 8 << 10 // bytes
	maxDetails    = 16
	maxDetail     = 256 // bytes
)

// jobAnswer is what a device is told; what does not apply is left out.
type jobAnswer struct {
	Token      *string                    `json:"clientToken,omitempty"`
	Timestamp  int64                      `json:"timestamp"`
	Execution  *jobExecution              `json:"execution,omitempty"`
	State      *jobState                  `json:"executionState,omitempty"`
	Document   *jobDocument               `json:"jobDocument,omitempty"`
	Jobs       map[jobStatus][]jobSummary `json:"jobs,omitempty"`
	InProgress []jobSummary               `json:"inProgressJobs,omitempty"`
	Queued     []jobSummary               `json:"queuedJobs,omitempty"`
	Code       code                       `json:"code,omitempty"`
	Message    string                     `json:"message,omitempty"`
}

type jobSummary struct {
	ID        string `json:"jobId"`
	QueuedAt  int64  `json:"queuedAt"`
	UpdatedAt int64  `json:"lastUpdatedAt"`
	Version   int64  `json:"versionNumber"`
	Number    int64  `json:"executionNumber"`
}

type jobState struct {
	Status  jobStatus         `json:"status"`
	Details map[string]string `json:"statusDetails,omitempty"`
	Version int64             `json:"versionNumber"`
}

type jobExecution struct {
	jobSummary
	Status   jobStatus         `json:"status"`
	Details  map[string]string `json:"statusDetails,omitempty"`
	Document jobDocument       `json:"jobDocument"`
}

// jobDocument is the one that FreeRTOS over-the-air agents read.
type jobDocument struct {
	OTA struct {
		Protocols []string  `json:"protocols"`
		Stream    string    `json:"streamname"`
		Files     []jobFile `json:"files"`
	} `json:"afr_ota"`
}

type jobFile struct {
	Path        string `json:"filepath"`
	Size        int64  `json:"filesize"`
	ID          int64  `json:"fileid"`
	Certificate string `json:"certfile"`
	Signature   []byte `json:"sig-sha256-ecdsa,omitempty"` // DER, written as Base64
}

// Codes of rejected requests that streams do not have.
const invalidStateTransition code = "InvalidStateTransition"

const jobsLevel = "/jobs/"

// jobFilters are the requests of a thing.
func jobFilters(thing string) []string {
	prefix := topicRoot + thing + jobsLevel
	return []string{prefix + "get", prefix + "+/get", prefix + "start-next", prefix + "+/update"}
}

// splitJobTopic reads the topic of a request: which thing, and what is behind jobs/.
func splitJobTopic(s string) (thing, request string, ok bool) {
	rest, _ := strings.CutPrefix(s, topicRoot)
	return strings.Cut(rest, jobsLevel)
}

// handleJob answers a request about jobs.
func (d *device) handleJob(now time.Time, m bridge.Message, request string, out *bridge.Outbox) error {
	var r jobRequest
	var refused *rejection
	switch {
	case len(m.Payload) > maxJobRequest:
		refused = rejectf(invalidRequest, "%d bytes, at most %d are taken", len(m.Payload), maxJobRequest)
	case len(m.Payload) > 0 && json.Unmarshal(m.Payload, &r) != nil:
		r, refused = jobRequest{}, rejectf(invalidJSON, "want one object with the members of a request")
	case r.Token != nil && len(*r.Token) > maxToken:
		r.Token, refused = nil, rejectf(invalidRequest, "clientToken: at most %d bytes are taken", maxToken)
	}
	answer := jobAnswer{Timestamp: now.Unix()}
	if refused == nil {
		refused = d.answerJob(now, request, r, &answer)
	}
	answer.Token = r.Token
	verdict := "/accepted"
	if refused != nil {
		verdict = "/rejected"
		answer = jobAnswer{Timestamp: now.Unix(), Token: r.Token, Code: refused.code, Message: refused.message}
		if refused.code != resourceNotFound {
			out.Warn(fmt.Sprintf("%s: %v", m.Topic, refused))
		}
	} else {
		d.heard, d.dirty = now, true
	}
	return publishJob(out, m.Topic+verdict, answer)
}

func publishJob(out *bridge.Outbox, topic string, answer jobAnswer) error {
	payload, err := formatJSON.encode(answer)
	if err == nil {
		out.Publish(topic, payload)
	}
	return err
}

// answerJob does what a request asks and fills in the answer.
func (d *device) answerJob(now time.Time, request string, r jobRequest, answer *jobAnswer) *rejection {
	open := d.offer != nil && !d.offer.job.Status.ended()
	id, op, _ := strings.Cut(request, "/")
	switch {
	case request == "get":
		if open && d.offer.job.Status == jobQueued {
			answer.Queued = []jobSummary{d.offer.summary()}
		} else if open {
			answer.InProgress = []jobSummary{d.offer.summary()}
		}
	case request == "start-next":
		if open {
			if d.offer.job.Status == jobQueued {
				d.offer.job.become(now, jobInProgress, r.Details)
			}
			answer.Execution = d.execution()
		}
	case op == "get" && id == "$next":
		if open {
			answer.Execution = d.execution()
		}
	case !d.offers(id):
		return rejectf(resourceNotFound, "there is no job %.64s for this device now", id)
	case op == "get":
		answer.Execution = d.execution()
	case op == "update":
		return d.updateJob(now, r, answer)
	default:
		return rejectf(invalidRequest, "no such request")
	}
	return nil
}

// updateJob takes the device's word on how its job goes.
func (d *device) updateJob(now time.Time, r jobRequest, answer *jobAnswer) *rejection {
	o := d.offer
	expected, err := optionalNumber(r.ExpectedVersion)
	switch {
	case err != nil:
		return rejectf(invalidRequest, "expectedVersion: want a whole number")
	case expected != 0 && expected != o.job.Version:
		return rejectf(versionMismatch, "the job has version %d", o.job.Version)
	case o.job.Status.ended():
		return rejectf(invalidStateTransition, "the job is %s", o.job.Status)
	case r.Status != jobInProgress && !r.Status.ended():
		return rejectf(invalidRequest, "status %.32q: want %s, %s, %s or %s", r.Status, jobInProgress, jobSucceeded, jobFailed, jobRejected)
	case len(r.Details) > maxDetails:
		return rejectf(invalidRequest, "statusDetails: %d members, at most %d are taken", len(r.Details), maxDetails)
	}
	for key, text := range r.Details {
		if len(key)+len(text) > maxDetail {
			return rejectf(invalidRequest, "statusDetails: a member of more than %d bytes", maxDetail)
		}
	}
	o.job.become(now, r.Status, r.Details)
	if r.IncludeState {
		answer.State = &jobState{Status: o.job.Status, Details: o.job.Details, Version: o.job.Version}
	}
	if r.IncludeDocument {
		document := d.document()
		answer.Document = &document
	}
	switch {
	case r.Status == jobSucceeded:
		o.becomeActivated()
	case r.Status.ended():
		outcome := fmt.Sprintf("the device says %s", r.Status)
		if reason := o.job.Details["reason"]; reason != "" {
			outcome += ": " + reason
		}
		o.becomeFailed(outcome)
	case o.state == bridge.Pending:
		o.becomeDownloading()
	}
	return nil
}

func optionalNumber(raw json.RawMessage) (int64, error) {
	if raw == nil || string(raw) == "null" {
		return 0, nil
	}
	var n integer
	err := n.json(raw)
	if err == nil && n < 0 {
		err = errors.New("negative")
	}
	return int64(n), err
}

func (o *download) summary() jobSummary {
	return jobSummary{ID: o.stream, QueuedAt: o.job.QueuedAt, UpdatedAt: o.job.UpdatedAt, Version: o.job.Version, Number: 1}
}

func (d *device) execution() *jobExecution {
	return &jobExecution{jobSummary: d.offer.summary(), Status: d.offer.job.Status, Details: d.offer.job.Details, Document: d.document()}
}

func (d *device) document() jobDocument {
	var doc jobDocument
	doc.OTA.Protocols = []string{"MQTT"}
	doc.OTA.Stream = d.offer.stream
	file := jobFile{Path: d.config.FilePath, Size: d.offer.part.Size(), ID: d.config.File, Certificate: d.config.CertFile}
	if d.config.Content == bridge.ContentImage {
		file.Signature = d.offer.signature
	}
	doc.OTA.Files = []jobFile{file}
	return doc
}

// notifyJob tells the device which job is the next one, if any.
func (d *device) notifyJob(now time.Time, out *bridge.Outbox) {
	next := jobAnswer{Timestamp: now.Unix()}
	all := jobAnswer{Timestamp: now.Unix(), Jobs: map[jobStatus][]jobSummary{}}
	if d.offer != nil && !d.offer.job.Status.ended() {
		next.Execution = d.execution()
		all.Jobs[d.offer.job.Status] = []jobSummary{d.offer.summary()}
	}
	prefix := topicRoot + d.config.Thing + jobsLevel
	if err := errors.Join(publishJob(out, prefix+"notify", all), publishJob(out, prefix+"notify-next", next)); err != nil {
		out.Warn(fmt.Sprintf("%s: %v", d.label(), err))
	}
}
