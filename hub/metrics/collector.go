package metrics

import (
	"fmt"
	"math"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/hub/observe"
	"github.com/commshub/commshub/hub/store"
)

// describe makes the description of a metric of this program.
func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("commshub_"+name, help, labels, nil)
}

// The metrics that are read when they are asked for.
var (
	buildInfo = describe("build_info", "What the program was built from.", "version", "revision", "goversion")
	emulated  = describe("emulated_time_seconds", "Emulated time, in seconds since 1970.")

	devices     = describe("devices", "Entries of the device log.", "kind")
	connected   = describe("device_connected", "Whether a device has a DTLS session, and the hub its broker.", "device", "kind")
	lastHeard   = describe("device_last_heard_emulated_seconds", "Emulated time at which a device was heard last, in seconds since 1970.", "device", "kind")
	overdue     = describe("device_heartbeat_overdue", "Whether a sleeping device's heartbeat is more than a minute late.", "device", "kind")
	overdueFrom = describe("device_heartbeat_overdue_since_emulated_seconds", "Emulated time at which the heartbeat was due that did not come, in seconds since 1970; absent unless it is overdue.", "device", "kind")
	mailbox     = describe("mailbox_messages", "GBCS messages that wait for a device.", "device", "kind")
	heartbeats  = describe("heartbeats_total", "Heartbeat windows of a sleeping device.", "device", "kind")
	frames      = describe("frames_total", "HAN frames between the hub and a device.", "device", "kind", "direction")
	windows     = describe("transfer_windows_total", "Windows in which a device asked for blocks of an image.", "device", "kind")
	blocks      = describe("blocks_served_total", "Blocks of images served for the first time.", "device", "kind")
	repeats     = describe("blocks_repeated_total", "Blocks of images served again.", "device", "kind")
	imageBytes  = describe("image_bytes_served_total", "Bytes of images served for the first time.", "device", "kind")
	waits       = describe("waits_told_total", "Times a device was told to wait for more of an image (WAIT_FOR_DATA).", "device", "kind")
	retries     = describe("device_retries_total", "Requests that a device in the hub's process repeated for want of an answer.", "device", "kind")
	charge      = describe("battery_charge_coulombs_total", "Charge that a battery gave, by the meter's own account.", "device", "cause")
	remaining   = describe("battery_remaining_ratio", "Charge left in a battery, of a new one.", "device")
	life        = describe("battery_life_seconds", "Emulated time that a battery will last at the present rate.", "device")
	updates     = describe("updates", "Distributions of images to devices.", "state")
	progress    = describe("update_progress_ratio", "Share of the image that the device of an update under way has got.", "device", "kind")
	alerts      = describe("alerts_total", "Alerts in the supplier's inbox since the hub started.", "code", "name")
	records     = describe("records_total", "Records of what happened, of the hub and of devices in its process.", "kind")
	storeSize   = describe("store_records", "Records that the store holds.", "table")
	readers     = describe("event_readers", "Readers of the event stream.")
	brokerUp    = describe("broker_connected", "Whether the hub has its MQTT broker.")
	brokerSince = describe("broker_changed_seconds", "Wall time since which the hub has its MQTT broker, or has it not, in seconds since 1970.")
	brokerTimes = describe("broker_connections_total", "Times the broker accepted the hub.")
	messages    = describe("mqtt_messages_total", "MQTT messages of the HAN.", "direction")
	messagesBad = describe("mqtt_messages_dropped_total", "MQTT messages that were refused.")
	started     = describe("dtls_handshakes_started_total", "DTLS handshakes that devices began.")
	handshakes  = describe("dtls_handshakes_total", "DTLS handshakes that ended.", "result")
	refused     = describe("dtls_refused_total", "DTLS attempts of devices that were refused.")
	unproven    = describe("dtls_install_codes_unproven_total", "DTLS handshakes that did not prove the install code with which they were begun.")
	dtlsRecords = describe("dtls_records_total", "DTLS records with HAN frames.", "direction")
	replayed    = describe("dtls_records_replayed_total", "DTLS records that came again, as they were; they were dropped.")
	datagrams   = describe("dtls_datagrams_dropped_total", "Datagrams that were malformed, for nobody, or for which there was no room.")
	framesBad   = describe("frames_refused_total", "HAN frames that were malformed or misaddressed.")
)

// collector reads the figures of one hub.
type collector struct{ Sources }

func newCollector(s Sources) *collector { return &collector{s} }

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		buildInfo, emulated, devices, connected, lastHeard, overdue, overdueFrom, mailbox, heartbeats, frames, windows, blocks, repeats,
		imageBytes, waits, retries, charge, remaining, life, updates, progress, alerts, records, storeSize, readers, brokerUp, brokerSince,
		brokerTimes, messages, messagesBad, started, handshakes, refused, unproven, dtlsRecords, replayed, datagrams, framesBad,
	} {
		out <- d
	}
}

// sink takes figures.
type sink chan<- prometheus.Metric

func (s sink) count(d *prometheus.Desc, n uint64, labels ...string) {
	s <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
}

func (s sink) gauge(d *prometheus.Desc, v float64, labels ...string) {
	s <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func (s sink) flag(d *prometheus.Desc, v bool, labels ...string) {
	if v {
		s.gauge(d, 1, labels...)
		return
	}
	s.gauge(d, 0, labels...)
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	s := sink(out)
	s.gauge(buildInfo, 1, c.Version, c.Commit, runtime.Version())
	s.gauge(emulated, float64(c.Now().UnixMilli())/1000)
	s.gauge(readers, float64(c.Readers()))
	c.collectLink(s)
	c.collectStore(s)
	kinds := map[string]int{}
	for _, d := range c.Store.Devices() {
		kinds[d.Kind.String()]++
		c.collectDevice(s, d)
	}
	for kind, n := range kinds {
		s.gauge(devices, float64(n), kind)
	}
	counters := c.Observer.Counters()
	for kind, n := range counters.Records {
		s.count(records, n, kind.String())
	}
	collectAlerts(s, counters.Alerts)
}

// collectAlerts counts alerts by code, from 0 on, so that the first one is seen as
// an increase. Codes without a name, which any device may make up, are counted
// together.
func collectAlerts(s sink, byCode map[uint16]uint64) {
	var other uint64
	for _, n := range byCode {
		other += n
	}
	for _, code := range gbcs.AlertCodes() {
		n := byCode[uint16(code)]
		s.count(alerts, n, fmt.Sprintf("%04X", uint16(code)), code.String())
		other -= n
	}
	s.count(alerts, other, "other", "")
}

func (c *collector) collectLink(s sink) {
	l := c.Link()
	up, since := c.BrokerUp()
	s.flag(brokerUp, up)
	s.gauge(brokerSince, float64(since.UnixMilli())/1000)
	s.count(brokerTimes, l.BrokerConnections)
	s.count(messages, l.MessagesSent, "down")
	s.count(messages, l.MessagesReceived, "up")
	s.count(messagesBad, l.MessagesDropped)
	s.count(started, l.HandshakesStarted)
	s.count(handshakes, l.HandshakesCompleted, "completed")
	s.count(handshakes, l.HandshakesFailed, "failed")
	s.count(refused, l.Refused)
	s.count(unproven, l.Unproven)
	s.count(dtlsRecords, l.RecordsSent, "down")
	s.count(dtlsRecords, l.RecordsReceived, "up")
	s.count(replayed, l.RecordsReplayed)
	s.count(datagrams, l.DatagramsDropped)
	s.count(framesBad, l.FramesRefused)
}

func (c *collector) collectStore(s sink) {
	counts := map[store.UpdateState]int{}
	all := c.Store.Updates()
	for _, u := range all {
		counts[u.State]++
	}
	for state := store.UpdatePending; state <= store.UpdateSuperseded; state++ {
		s.gauge(updates, float64(counts[state]), state.String())
	}
	s.gauge(storeSize, float64(len(c.Store.Devices())), "devices")
	s.gauge(storeSize, float64(len(c.Store.Images())), "images")
	s.gauge(storeSize, float64(len(all)), "updates")
	s.gauge(storeSize, float64(len(c.Store.Messages())), "messages")
}

func (c *collector) collectDevice(s sink, d store.Device) {
	eui, kind := d.EUI64.String(), d.Kind.String()
	up, _ := c.BrokerUp() // a session without a broker under it carries nothing
	s.flag(connected, up && c.Connected(d.EUI64), eui, kind)
	s.gauge(mailbox, float64(len(c.Store.MessagesOf(d.EUI64))), eui, kind)
	seen, ok := c.Observer.Device(d.EUI64, c.Now())
	if !ok {
		return
	}
	if heard := max(c.Store.LastHeard(d), seen.HeardAt.UnixMicro()); heard > 0 {
		s.gauge(lastHeard, float64(heard)/1e6, eui, kind)
	}
	n := seen.Counters
	s.count(frames, n.FramesUp, eui, kind, "up")
	s.count(frames, n.FramesDown, eui, kind, "down")
	if seen.Sleeps {
		s.count(heartbeats, n.Heartbeats, eui, kind)
		late := seen.Overdue(c.Now())
		s.flag(overdue, late, eui, kind)
		if due, _ := seen.NextHeartbeat(); late {
			s.gauge(overdueFrom, float64(due.UnixMilli())/1000, eui, kind)
		}
		c.collectBattery(s, d.EUI64)
	}
	if !d.Kind.IsMeter() {
		return
	}
	s.count(windows, n.Windows, eui, kind)
	s.count(blocks, n.Blocks, eui, kind)
	s.count(repeats, n.Repeats, eui, kind)
	s.count(imageBytes, n.Bytes, eui, kind)
	s.count(waits, n.Waits, eui, kind)
	s.count(retries, n.Retries, eui, kind)
	c.collectProgress(s, d.EUI64, kind)
}

func (c *collector) collectProgress(s sink, device han.EUI64, kind string) {
	for _, u := range c.Store.UpdatesOf(device) {
		if u.State.Ended() {
			continue
		}
		im, _ := c.Store.ImageByFileHash(u.FileHash)
		share, known := 1.0, true
		if u.State <= store.UpdateDownloading {
			share, known = c.share(u, im)
		}
		if known {
			s.gauge(progress, share, device.String(), kind)
		}
	}
}

func (c *collector) share(u store.Update, im store.Image) (float64, bool) {
	var t observe.Timeline
	t, watched := c.Observer.Timeline(u.Device, u.FileHash, c.Now())
	offset, known := t.Offset()
	if !watched || !known || im.Size == 0 {
		return 0, false
	}
	return float64(offset) / float64(im.Size), true
}

func (c *collector) collectBattery(s sink, device han.EUI64) {
	b, ok := c.Battery(device)
	if !ok {
		return
	}
	for cause, coulombs := range b.Coulombs {
		const nano = 1e9 // charge is counted in nanocoulombs; the digits behind them are the float's
		s <- prometheus.MustNewConstMetric(charge, prometheus.CounterValue, math.Round(coulombs*nano)/nano, device.String(), cause)
	}
	if b.HasRemaining {
		s.gauge(remaining, b.Remaining, device.String())
	}
	if b.HasLife {
		s.gauge(life, b.Life.Seconds(), device.String())
	}
}
