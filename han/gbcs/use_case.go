package gbcs

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
)

// UseCase is a row of the table of use cases: all that a message code stands
// for. Hub, meters and decoders look it up here and keep no lists of their own.
type UseCase struct {
	Code   MessageCode
	Number string // such as "CS06"; empty for an alert that has none
	Title  string
	// Parties are who orders, or is answered or alerted, such as "supplier" and "ACB";
	// none for what is only recorded in an event log.
	Parties []string
	// Critical messages change what a device does or what is paid: commands are
	// signed by their originator, responses and alerts by the device. All others
	// are only MACed.
	Critical bool
	Devices  Roles  // that are commanded, and that answer or alert
	Forms    []Form // none for what is only recorded in an event log
}

// Form is what a use case's message is like in one direction and layout, with one of
// the protections it may have.
type Form struct {
	CRA       CRA
	Layout    Layout
	Signed    bool // by its originator
	MACed     bool
	DateTime  bool // its grouping header carries a date-time
	Encrypted bool // it may carry encrypted values

	parse func(payload []byte) (Payload, error) // nil: only passed on
}

// Roles is a set of kinds of device.
type Roles uint8

// The kinds of device that use cases are for.
const (
	RoleESME Roles = 1 << iota
	RoleGSME
	RoleCHF
	RoleGPF
	RolePPMID
	RoleHCALCS
	RoleSAPC // standalone auxiliary proportional controller
)

var roleNames = map[string]Roles{
	"ESME": RoleESME, "GSME": RoleGSME, "CHF": RoleCHF, "GPF": RoleGPF,
	"PPMID": RolePPMID, "HCALCS": RoleHCALCS, "SAPC": RoleSAPC,
}

// Layout is how a payload is encoded.
type Layout uint8

// The layouts. Alerts outside ASN.1 come in the first two, see [AlertHead];
// parse functions recognise which by the first byte.
const (
	LayoutDLMS Layout = iota // sent by and to an ESME or the hub
	LayoutGBZ                // sent by and to a GSME or the gas proxy
	LayoutDER                // ASN.1, whatever the device
)

var layoutNames = [...]string{"DLMS", "GBZ", "DER"}

// String returns the layout's name.
func (l Layout) String() string { return layoutNames[l] }

//go:embed use_cases.txt
var useCaseTable string

// useCases is the table by message code.
var useCases = readUseCases(useCaseTable)

// readUseCases reads the table, whose head says what its columns are. A row that
// cannot be read is a programmer's error and panics.
func readUseCases(table string) map[MessageCode]UseCase {
	rows := make(map[MessageCode]UseCase)
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		u, err := readUseCase(line)
		if old, twice := rows[u.Code]; err == nil && twice {
			err = fmt.Errorf("message code %04X is entered twice: as %s and as %s", uint16(u.Code), old, u)
		}
		if err != nil {
			panic(fmt.Sprintf("gbcs: use_cases.txt: %v", err))
		}
		rows[u.Code] = u
	}
	return rows
}

func readUseCase(line string) (UseCase, error) {
	const columns = 8 // in front of the title
	field := strings.Fields(line)
	if len(field) <= columns {
		return UseCase{}, fmt.Errorf("row %q has %d words, want more than %d", line, len(field), columns)
	}
	code, err := strconv.ParseUint(field[0], 16, 16)
	if err != nil {
		return UseCase{}, err
	}
	u := UseCase{Code: MessageCode(code), Number: unlessDash(field[1]), Title: strings.Join(field[columns:], " ")}
	if field[2] != "-" {
		u.Parties = strings.Split(field[2], ",")
	}
	for _, name := range strings.Split(field[3], ",") {
		role, ok := roleNames[name]
		if !ok {
			return UseCase{}, fmt.Errorf("%s: device %q", u, name)
		}
		u.Devices |= role
	}
	for i, protections := range field[5:columns] {
		if err := u.readForms(Command+CRA(i), field[4], protections); err != nil {
			return UseCase{}, fmt.Errorf("%s: %w", u, err)
		}
	}
	u.Critical = len(u.Forms) > 0
	for _, f := range u.Forms {
		if f.CRA != Command && !f.Signed {
			u.Critical = false
		}
	}
	return u, nil
}

// readForms reads the column of a direction.
func (u *UseCase) readForms(cra CRA, layouts, protections string) error {
	if protections == "-" {
		return nil
	}
	// What is behind the last alternative holds for all.
	signs := strings.TrimRight(protections, "DE")
	f := Form{CRA: cra, DateTime: strings.Contains(protections, "D"), Encrypted: strings.Contains(protections, "E")}
	for _, name := range strings.Split(layouts, "/") {
		found := false
		for l := range layoutNames {
			if layoutNames[l] == name {
				f.Layout, found = Layout(l), true
			}
		}
		if !found {
			return fmt.Errorf("layout %q", name)
		}
		for _, sign := range strings.Split(signs, "/") {
			f.Signed, f.MACed = strings.Contains(sign, "S"), strings.Contains(sign, "M")
			if strings.Trim(sign, "SM") != "" || !f.Signed && !f.MACed {
				return fmt.Errorf("protection %q", protections)
			}
			u.Forms = append(u.Forms, f)
		}
	}
	return nil
}

func unlessDash(s string) string {
	if s == "-" {
		return ""
	}
	return s
}

// reads enters how the payload of a message is read. A message that the table does
// not have is a programmer's error and panics.
func reads[P Payload](c MessageCode, cra CRA, parse func([]byte) (P, error)) {
	found := false
	for i, f := range useCases[c].Forms {
		if f.CRA == cra {
			useCases[c].Forms[i].parse = func(payload []byte) (Payload, error) { return parse(payload) }
			found = true
		}
	}
	if !found {
		panic(fmt.Sprintf("gbcs: no %s with message code %04X is in the table of use cases", cra, uint16(c)))
	}
}

// UseCaseOf returns the row of a message code.
func UseCaseOf(c MessageCode) (UseCase, bool) {
	u, ok := useCases[c]
	return u, ok
}

// Form returns what messages of a direction are like; of those that may be protected in
// several ways, the first.
func (u UseCase) Form(cra CRA) (Form, bool) {
	for _, f := range u.Forms {
		if f.CRA == cra {
			return f, true
		}
	}
	return Form{}, false
}

// String returns the use case's number and title.
func (u UseCase) String() string {
	if u.Number == "" {
		return u.Title
	}
	return u.Number + " " + u.Title
}

// Reads reports whether the payload of such messages is read here, and not only
// passed on.
func (u UseCase) Reads(cra CRA) bool { return u.parser(cra) != nil }

// parser returns how to read the payload of a message, nil if it is only passed on.
func (u UseCase) parser(cra CRA) func([]byte) (Payload, error) {
	f, _ := u.Form(cra)
	return f.parse
}
