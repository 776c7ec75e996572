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

	"han/aesmmo":      {floor: floorWire},
	"han/certid":      {floor: floorWire},
	"han/gbcs":        {floor: floorWire, siblings: []string{"han/zcl"}},
	"han/installcode": {floor: floorWire, siblings: []string{"han/aesmmo"}},
	"han/manifest":    {floor: floorWire, siblings: []string{"han/rawsig"}, thirdParty: []string{cborModule, coseModule}},
	"han/metering":    {floor: floorWire, siblings: []string{"han/zcl"}},
	"han/ota":         {floor: floorWire, siblings: []string{"han/aesmmo", "han/rawsig", "han/zcl"}},
	"han/phy":         {floor: floorWire},
	"han/rawsig":      {floor: floorWire},
	"han/tunnel":      {floor: floorWire, siblings: []string{"han/zcl"}},
	"han/zcl":         {floor: floorWire},

	"devices/battery":    {floor: floorParts, siblings: []string{"devices/flash"}, thirdParty: []string{yamlModule}},
	"devices/board":      {floor: floorParts, siblings: []string{"devices/flash"}},
	"devices/bootloader": {floor: floorParts, siblings: []string{"devices/flash", "devices/journal"}},
	"devices/firmware": {floor: floorParts, siblings: []string{
		"devices/battery", "devices/bootloader", "devices/journal", "devices/otaclient", "devices/rtc"}},
	"devices/flash":   {floor: floorParts},
	"devices/journal": {floor: floorParts, siblings: []string{"devices/flash"}},
	"devices/meter": {floor: floorParts, siblings: []string{
		"devices/battery", "devices/board", "devices/bootloader", "devices/firmware", "devices/flash",
		"devices/journal", "devices/metrology", "devices/otaclient", "devices/rtc"}},
	"devices/metrology": {floor: floorParts, siblings: []string{"devices/flash", "devices/journal"}},
	"devices/otaclient": {floor: floorParts, siblings: []string{"devices/bootloader"}},
	"devices/rtc":       {floor: floorParts},
	"gasproxy":          {floor: floorParts, siblings: []string{"devices/battery"}},
	"hub/imagecache":    {floor: floorParts},
	"hub/otaserver":     {floor: floorParts},
	"hub/store":         {floor: floorParts, thirdParty: []string{cborModule, memdbModule, bboltModule}},

	"devices/esme": {floor: floorNodes},
	"devices/gsme": {floor: floorNodes},
	"devices/ihd":  {floor: floorNodes},
	"hub":          {floor: floorNodes},

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
	"transport/live":           {floor: floorDrivers},
	"transport/mqtt":           {floor: floorDrivers, thirdParty: []string{pahoModule}},
	"transport/radio":          {floor: floorDrivers},
	"transport/sim":            {floor: floorDrivers, siblings: []string{"transport/radio"}},

	"hub/api":       {floor: floorFaces, siblings: []string{"hub/observe"}, thirdParty: []string{humaModule}},
	"hub/metrics":   {floor: floorFaces, siblings: []string{"hub/observe"}, thirdParty: []string{prometheusModule}},
	"hub/observe":   {floor: floorFaces}, // looks at nodes' records and frames, for all faces
	"hub/dashboard": {floor: floorFaces},

	"internal/console":    {floor: floorWiring, thirdParty: []string{ansiModule, bubbleteaModule, lipglossModule}}, // a face for terminals; it uses the interface's types
	"internal/imagebuild": {floor: floorWiring},
	"internal/pki":        {floor: floorWiring, thirdParty: []string{renameioModule}},
	"internal/scenario":   {floor: floorWiring, siblings: []string{"internal/pki"}},
	// The file format knows no driver's home, and the player only those two.
	"internal/scenario/homefile": {floor: floorWiring, thirdParty: []string{yamlModule}},
	"internal/scenario/chart": {floor: floorWiring, siblings: []string{
		"internal/scenario/homefile", "internal/scenario/sweep"}, thirdParty: []string{plotModule}},
	"internal/scenario/sweep": {floor: floorWiring, siblings: []string{
		"internal/scenario/homefile", "internal/scenario/play"}},
	"internal/scenario/play": {floor: floorWiring, siblings: []string{
		"internal/imagebuild", "internal/scenario", "internal/scenario/homefile"}},

	"cmd/commshub": {floor: floorCommand, thirdParty: []string{cobraModule, pflagModule, mpbModule, renameioModule, termModule, yamlModule}},

	"internal/codectest": {floor: floorTests, thirdParty: []string{cmpModule}},
	"internal/disktest":  {floor: floorTests},
	"internal/loopback":  {floor: floorTests},
	"internal/nodetest":  {floor: floorTests, siblings: []string{"internal/testimage"}},
	"internal/testimage": {floor: floorTests},
	// Runs programs of others; the build tag z2m keeps it out of go test ./...
	"internal/z2mtest":     {floor: floorTests, siblings: []string{"internal/loopback"}, thirdParty: []string{pahoModule}},
	"internal/tidy":        {floor: floorTests},
	"internal/browsertest": {floor: floorTests, thirdParty: []string{cdprotoModule, chromedpModule}},
	"internal/bridgetest":  {floor: floorTests, thirdParty: []string{pahoModule}},
}

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
var fileBacked = []string{"devices/flash/file.go", "hub/imagecache/", "hub/store/"}

// bannedTime are the functions of package time that read or wait for the clock.
var bannedTime = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick"}

// allowedRand are the names of math/rand/v2 that use no global state.
var allowedRand = []string{"New", "NewPCG", "NewChaCha8", "Rand", "Source", "PCG", "ChaCha8"}

// maxFunction is how many lines a function may have.
const maxFunction = 70
