package tidy

// module is the import path of the house.
const module = "github.com/commshub/commshub/"

// rule is what one package may do.
type rule struct {
	floor int
	// siblings are the packages of the same floor that it may import.
	siblings []string
	// thirdParty are the modules outside the standard library that it may import.
	thirdParty []string
}

// Floors of the house. Imports go down, never up.
const (
	floorGround  = 0 // what everybody shares
	floorWire    = 1 // bytes on the air and in files
	floorParts   = 2 // parts of a device, parts of the hub
	floorNodes   = 3 // one participant of the HAN each
	floorDrivers = 4 // time and transport
	floorFaces   = 5 // API, page
	floorWiring  = 6 // a described home
	floorCommand = 7
	floorTests   = 9 // only tests import these
)

// machineFloor is the highest floor whose code is passive: no clock, goroutine,
// socket, file or global randomness.
const machineFloor = floorNodes

// rules has an entry for each package of the house.
var rules = map[string]rule{
	"han":            {floor: floorGround, siblings: []string{"internal/trace"}},
	"internal/trace": {floor: floorGround},
	// For whoever keeps something on disk: how it is encrypted.
	"internal/atrest": {floor: floorGround, thirdParty: []string{cryptoModule}},
	// For whoever needs a key, a token or a password, certificates too.
	"internal/secretfile": {floor: floorGround},
	// For whoever shows text of others: terminals, logs, the interface.
	"internal/foreign": {floor: floorGround},

	"han/aesmmo":  {floor: floorWire},
	"han/capture": {floor: floorWire, siblings: []string{"han/phy"}}, // pcapng of what an observer sees
	"han/certid":  {floor: floorWire},
	"han/decode": {floor: floorWire, siblings: []string{
		"han/gbcs", "han/gbcs/block", "han/gbcs/tree", "han/metering", "han/ota", "han/prepayment", "han/tunnel", "han/zcl"}},
	"han/gbcs":       {floor: floorWire, siblings: []string{"han/gbcs/dlms", "han/zcl"}},
	"han/gbcs/block": {floor: floorWire, siblings: []string{"han/gbcs"}}, // long messages in blocks
	"han/gbcs/der":   {floor: floorWire},                                 // the three encodings of payloads
	"han/gbcs/dlms":  {floor: floorWire},
	"han/gbcs/gbz":   {floor: floorWire},
	"han/gbcs/seal":  {floor: floorWire, siblings: []string{"han/gbcs", "han/rawsig"}}, // signatures, MACs, encrypted values
	"han/gbcs/tree": {floor: floorWire, siblings: []string{
		"han/gbcs", "han/gbcs/der", "han/gbcs/dlms", "han/gbcs/gbz", "han/zcl"}},
	"han/installcode": {floor: floorWire, siblings: []string{"han/aesmmo"}},
	"han/manifest":    {floor: floorWire, siblings: []string{"han/rawsig"}, thirdParty: []string{cborModule, coseModule}},
	"han/metering":    {floor: floorWire, siblings: []string{"han/zcl"}},
	// What is believed of what meters report.
	"han/metering/validation": {floor: floorWire, siblings: []string{"han/metering", "han/zcl"}},
	"han/ota":                 {floor: floorWire, siblings: []string{"han/aesmmo", "han/rawsig", "han/zcl"}},
	"han/prepayment":          {floor: floorWire},
	"han/phy":                 {floor: floorWire},
	"han/rawsig":              {floor: floorWire},
	"han/remote":              {floor: floorWire, siblings: []string{"han/gbcs", "han/gbcs/seal", "han/zcl"}},
	"han/smki":                {floor: floorWire, siblings: []string{"han/gbcs/der"}}, // certificates
	"han/tunnel":              {floor: floorWire, siblings: []string{"han/zcl"}},
	"han/utrn":                {floor: floorWire, siblings: []string{"han/gbcs", "han/gbcs/seal"}}, // top-ups in 20 digits
	"han/zcl":                 {floor: floorWire},

	"devices/battery":    {floor: floorParts, siblings: []string{"devices/flash"}, thirdParty: []string{yamlModule}},
	"devices/board":      {floor: floorParts, siblings: []string{"devices/flash", "devices/journal"}},
	"devices/bootloader": {floor: floorParts, siblings: []string{"devices/flash", "devices/journal"}},
	"devices/eventlog":   {floor: floorParts, siblings: []string{"devices/flash", "devices/journal"}},
	"devices/firmware": {floor: floorParts, siblings: []string{
		"devices/battery", "devices/board", "devices/bootloader", "devices/journal", "devices/otaclient", "devices/rtc"}},
	"devices/flash":   {floor: floorParts},
	"devices/journal": {floor: floorParts, siblings: []string{"devices/flash"}},
	"devices/meter": {floor: floorParts, siblings: []string{
		"devices/battery", "devices/board", "devices/bootloader", "devices/eventlog", "devices/firmware", "devices/flash",
		"devices/journal", "devices/metrology", "devices/otaclient", "devices/prepayment", "devices/remote", "devices/rtc"}},
	"devices/prepayment": {floor: floorParts, siblings: []string{"devices/board", "devices/journal"}},
	"devices/metrology":  {floor: floorParts, siblings: []string{"devices/flash", "devices/journal"}},
	"devices/otaclient":  {floor: floorParts, siblings: []string{"devices/bootloader"}},
	"devices/remote":     {floor: floorParts, siblings: []string{"devices/board", "devices/flash", "devices/journal"}},
	"devices/rtc":        {floor: floorParts},
	"gasproxy":           {floor: floorParts, siblings: []string{"devices/battery"}},
	"hub/imagecache":     {floor: floorParts},
	"hub/otaserver":      {floor: floorParts},
	"hub/remote":         {floor: floorParts, siblings: []string{"hub/store"}},
	"hub/store":          {floor: floorParts, thirdParty: []string{cborModule, memdbModule, bboltModule}},

	"devices/esme": {floor: floorNodes},
	"devices/gsme": {floor: floorNodes},
	"devices/ihd":  {floor: floorNodes},
	"hub":          {floor: floorNodes},
	// The supplier knows a hub as an interface, and the hub knows the supplier as one:
	// one day there is a network between them. The wiring joins them.
	"hub/headend": {floor: floorNodes},

	// The bridge speaks to a broker that is not the HAN's; what it knows of the hub
	// comes through an interface that the wiring implements. Its adapters know the
	// bridge alone, and not each other.
	"transport/bridge": {floor: floorDrivers, siblings: []string{"transport/mqtt"},
		thirdParty: []string{pahoModule, rateModule, renameioModule, yamlModule}},
	"transport/bridge/glow":          {floor: floorDrivers, siblings: []string{"transport/bridge"}},
	"transport/bridge/homeassistant": {floor: floorDrivers, siblings: []string{"transport/bridge"}},
	"transport/bridge/zigbee2mqtt":   {floor: floorDrivers, siblings: []string{"transport/bridge"}},
	"transport/bridge/filestreams":   {floor: floorDrivers, siblings: []string{"transport/bridge"}, thirdParty: []string{cborModule}},
	"transport/bridge/tasmota":       {floor: floorDrivers, siblings: []string{"transport/bridge"}},

	"transport/broker":         {floor: floorDrivers, thirdParty: []string{natsModule, rateModule}},
	"transport/dtls":           {floor: floorDrivers, thirdParty: []string{dtlsModule, pionLogModule, pionTransportModule, rateModule}},
	"transport/link":           {floor: floorDrivers, siblings: []string{"transport/dtls", "transport/link/cborframe", "transport/mqtt"}, thirdParty: []string{rateModule}},
	"transport/link/cborframe": {floor: floorDrivers},
	"transport/live":           {floor: floorDrivers, siblings: []string{"transport/fault", "transport/radio"}},
	"transport/mqtt":           {floor: floorDrivers, thirdParty: []string{pahoModule}},
	"transport/fault":          {floor: floorDrivers}, // what goes wrong, for both drivers
	"transport/radio":          {floor: floorDrivers, siblings: []string{"transport/fault"}},
	"transport/sim":            {floor: floorDrivers, siblings: []string{"transport/fault", "transport/radio"}},

	"hub/api":       {floor: floorFaces, siblings: []string{"hub/observe", "hub/client"}, thirdParty: []string{humaModule}}, // the client has the header by which it knows a hub
	"hub/metrics":   {floor: floorFaces, siblings: []string{"hub/observe"}, thirdParty: []string{prometheusModule}},
	"hub/observe":   {floor: floorFaces}, // looks at nodes' records and frames, for all faces
	"hub/dashboard": {floor: floorFaces},
	"hub/client":    {floor: floorFaces}, // the interface from outside; it knows none of the house

	"internal/console":       {floor: floorWiring, siblings: []string{"internal/foreign", "internal/table"}, thirdParty: []string{ansiModule, bubbleteaModule, lipglossModule}}, // a face for terminals; it uses the interface's types
	"internal/console/story": {floor: floorWiring, thirdParty: []string{mpbModule}},                                                                                             // the same for a home of this process, from its records
	"internal/batteryset":    {floor: floorWiring, siblings: []string{"internal/foreign", "internal/inputfile", "internal/table"}},                                              // a battery set by name or file, for flags and scenarios
	"internal/inputfile":     {floor: floorWiring},
	"internal/sniffer":       {floor: floorWiring, siblings: []string{"internal/foreign", "internal/inputfile", "internal/outputfile"}}, // captures of a HAN that runs
	"internal/flagvalue":     {floor: floorWiring, siblings: []string{"internal/home"}},                                                 // codes, sizes and what a home is described by, on a command line
	"internal/outputfile":    {floor: floorWiring, siblings: []string{"internal/inputfile"}, thirdParty: []string{renameioModule}},
	"internal/messageview":   {floor: floorWiring, siblings: []string{"internal/inputfile", "internal/pki"}}, // what a GBCS message says, for people and programs
	"internal/progress":      {floor: floorWiring, thirdParty: []string{mpbModule}},                          // bars on a terminal
	"internal/imageview":     {floor: floorWiring, siblings: []string{"internal/inputfile"}},                 // what is in an OTA file, for people and programs
	"internal/imagebuild":    {floor: floorWiring, siblings: []string{"internal/imageview", "internal/inputfile"}},
	"internal/report":        {floor: floorWiring}, // plain data to a page; it knows none of the house
	"internal/report/live":   {floor: floorWiring, siblings: []string{"internal/report", "internal/scenario/homefile"}},
	"internal/table":         {floor: floorWiring, siblings: []string{"internal/foreign"}},
	"internal/settings":      {floor: floorWiring, siblings: []string{"internal/inputfile"}, thirdParty: []string{pflagModule, yamlModule}}, // flags from environment and file
	"internal/pki":           {floor: floorWiring, thirdParty: []string{renameioModule}},
	// Where nodes and drivers meet: a description, and a package for each driver.
	"internal/home":         {floor: floorWiring, siblings: []string{"internal/pki"}},
	"internal/home/live":    {floor: floorWiring, siblings: []string{"internal/home", "internal/inputfile", "internal/pki"}},
	"internal/home/virtual": {floor: floorWiring, siblings: []string{"internal/home"}},
	// And what runs beside them in one process: faces, a bridge, all of it.
	"internal/home/served":     {floor: floorWiring, siblings: []string{"internal/home", "internal/home/live"}},
	"internal/home/storagekey": {floor: floorWiring},
	"internal/home/token":      {floor: floorWiring, siblings: []string{"internal/inputfile"}, thirdParty: []string{renameioModule}},
	"internal/home/bridge":     {floor: floorWiring, siblings: []string{"internal/inputfile"}},
	"internal/home/provision":  {floor: floorWiring, siblings: []string{"internal/home", "internal/imagebuild", "internal/pki"}, thirdParty: []string{renameioModule}},
	"internal/home/demo": {floor: floorWiring, siblings: []string{
		"internal/home", "internal/home/bridge", "internal/home/live", "internal/home/served", "internal/imagebuild", "internal/pki", "internal/table"}},
	// The file format knows no driver's home, and the player only those two.
	"internal/scenario/homefile": {floor: floorWiring, siblings: []string{"internal/batteryset"}, thirdParty: []string{yamlModule}},
	"internal/scenario/chart": {floor: floorWiring, siblings: []string{
		"internal/scenario/homefile", "internal/scenario/sweep"}, thirdParty: []string{plotModule}},
	"internal/scenario/sweep": {floor: floorWiring, siblings: []string{
		"internal/report", "internal/scenario/homefile", "internal/scenario/play"}},
	// It judges hub and meters by the trace and by what it is shown; what they are made
	// of it must not know.
	"internal/scenario/judge": {floor: floorWiring},
	"internal/scenario/told": {floor: floorWiring, siblings: []string{
		"internal/foreign", "internal/scenario/chaos", "internal/scenario/homefile", "internal/scenario/play", "internal/scenario/sweep", "internal/table"}},
	"internal/scenario/play": {floor: floorWiring, siblings: []string{
		"internal/home", "internal/home/virtual", "internal/imagebuild", "internal/inputfile", "internal/report", "internal/scenario/homefile", "internal/scenario/judge"}},
	"internal/scenario/chaos": {floor: floorWiring, siblings: []string{
		"internal/scenario/homefile", "internal/scenario/judge", "internal/scenario/play"}},

	"cmd/commshub": {floor: floorCommand, thirdParty: []string{cobraModule, pflagModule, termModule, yamlModule}},

	"internal/atrest/atresttest": {floor: floorTests},
	"internal/capturetest":       {floor: floorTests, thirdParty: []string{cmpModule}}, // runs programs of others; the build tag capture keeps it out of go test ./...
	"internal/codectest":         {floor: floorTests, thirdParty: []string{cmpModule}},
	"internal/cuttest":           {floor: floorTests},
	"internal/disktest":          {floor: floorTests, thirdParty: []string{sysModule}}, // the kernel hands over calls that syscall does not know
	"internal/loopback":          {floor: floorTests},
	"internal/mutants":           {floor: floorTests}, // plants faults, for the gate
	"internal/devicetest":        {floor: floorTests, siblings: []string{"internal/testimage"}},
	"internal/nodetest":          {floor: floorTests, siblings: []string{"internal/devicetest", "internal/testimage"}},
	// Whole homes, in tests only: no library of the product is needed for them.
	"internal/systemtest": {floor: floorTests},
	"internal/previous":   {floor: floorTests}, // what the release before keeps
	"internal/testimage":  {floor: floorTests},
	// Runs programs of others; the build tag z2m keeps it out of go test ./...
	"internal/z2mtest":     {floor: floorTests, siblings: []string{"internal/loopback"}, thirdParty: []string{pahoModule}},
	"internal/tidy":        {floor: floorTests},
	"internal/browsertest": {floor: floorTests, thirdParty: []string{cdprotoModule, chromedpModule}},
	"internal/bridgetest":  {floor: floorTests, thirdParty: []string{pahoModule}},
}

// commandMay are the packages of the floors under the wiring that a command may
// import, because flags and output speak of what is in them. What puts nodes, drivers
// and faces together is a library in internal, for whoever runs homes without a
// command line.
var commandMay = []string{
	"devices/battery", "devices/bootloader", "devices/otaclient", "gasproxy", // values of flags
	"hub/imagecache",        // the limit of an upload
	"hub",                   // its configuration
	"hub/store",             // words for kinds, see commandWords
	"hub/api", "hub/client", // what a running hub answers
	"transport/broker", // a daemon of its own
}

// commandWords are how names of hub/store begin that a command may use: it shows and
// reads what kinds and states are called, and keeps no records.
var commandWords = []string{"Kind", "ParseKind", "Update"}

// Modules that the table allows somewhere.
const (
	ansiModule          = "github.com/charmbracelet/x/ansi"
	bboltModule         = "go.etcd.io/bbolt"
	bubbleteaModule     = "charm.land/bubbletea/v2"
	cdprotoModule       = "github.com/chromedp/cdproto"
	chromedpModule      = "github.com/chromedp/chromedp"
	cborModule          = "github.com/fxamacker/cbor/v2"
	cmpModule           = "github.com/google/go-cmp"
	cobraModule         = "github.com/spf13/cobra"
	coseModule          = "github.com/veraison/go-cose"
	cryptoModule        = "golang.org/x/crypto"
	dtlsModule          = "github.com/pion/dtls/v3"
	humaModule          = "github.com/danielgtaylor/huma/v2"
	lipglossModule      = "charm.land/lipgloss/v2"
	memdbModule         = "github.com/hashicorp/go-memdb"
	mpbModule           = "github.com/vbauerster/mpb/v8"
	natsModule          = "github.com/nats-io/nats-server/v2"
	pahoModule          = "github.com/eclipse/paho.mqtt.golang"
	pflagModule         = "github.com/spf13/pflag"
	pionLogModule       = "github.com/pion/logging"
	plotModule          = "gonum.org/v1/plot"
	pionTransportModule = "github.com/pion/transport/v5"
	prometheusModule    = "github.com/prometheus/client_golang"
	rateModule          = "golang.org/x/time/rate"
	renameioModule      = "github.com/google/renameio/v2"
	sysModule           = "golang.org/x/sys"
	termModule          = "golang.org/x/term"
	yamlModule          = "go.yaml.in/yaml/v3"
)

// passiveImports are the packages that a machine must not import, with the reason.
var passiveImports = map[string]string{
	"os":          "files belong to the file-backed parts, see fileBacked",
	"net":         "sockets belong to transport",
	"net/http":    "sockets belong to transport and faces",
	"crypto/rand": "entropy comes in as an io.Reader, so that a run can be repeated",
	"math/rand":   "use math/rand/v2 with a stream of the node's own",
	"syscall":     "files belong to the file-backed parts, see fileBacked",
	"log":         "machines do not log, they emit records",
	"log/slog":    "machines do not log, they emit records",
}

// fileBacked are the folders and files of machine floors that may use files.
var fileBacked = []string{"devices/flash/file.go", "hub/imagecache/", "hub/store/", "internal/secretfile/"}

// opaque are the packages through which GBCS messages pass unread.
var opaque = []string{"hub", "gasproxy"}

// readers are the packages by which GBCS messages of any use case are read. What passes
// messages on, or carries one use case out, needs none of them.
var readers = []string{"han/gbcs/der", "han/gbcs/dlms", "han/gbcs/gbz", "han/gbcs/seal", "han/gbcs/tree"}

// bannedTime are the functions of package time that read or wait for the clock.
var bannedTime = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick"}

// allowedRand are the names of math/rand/v2 that use no global state.
var allowedRand = []string{"New", "NewPCG", "NewChaCha8", "Rand", "Source", "PCG", "ChaCha8"}

// lightlyTested are the packages whose tests must not link heavyModules.
var (
	lightlyTested = []string{"han/", "devices/", "gasproxy/"}
	heavyModules  = []string{bboltModule, "github.com/pion/"}
)

// handlers carry use cases of GBCS out. They see payloads, never messages.
var handlers = []string{"devices/battery", "devices/firmware", "devices/metrology"}

// maxCommand is how many lines the command may have without its tests: flags, signals,
// output and exit codes. What does more is a library, for whoever runs homes without a
// command line.
const maxCommand = 4500

// maxFunction is how many lines a function may have.
const maxFunction = 70
