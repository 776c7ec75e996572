package dlms

// The tags of the payloads.
const (
	TagDataNotification = 0x0F
	TagAccessRequest    = 0xD9
	TagAccessResponse   = 0xDA
)

// Choice is what is done with an attribute or method.
type Choice byte

// The choices.
const (
	Get              Choice = 1
	Set              Choice = 2
	Action           Choice = 3
	GetWithSelection Choice = 4
)

var choiceNames = map[Choice]string{Get: "get", Set: "set", Action: "action", GetWithSelection: "get with selection"}

// String returns the choice in words.
func (c Choice) String() string { return choiceNames[c] }

// Head is what all payloads start with.
type Head struct {
	InvokeID [4]byte // long-invoke-id-and-priority
	DateTime []byte  // with its length in front; that alone if there is none
}

// Descriptor names an attribute or a method of an object.
type Descriptor struct {
	Choice Choice
	Class  uint16
	Object [6]byte // its OBIS code
	Member int8    // the number of the attribute or method
	// Selector and Selection are with GetWithSelection only.
	Selector  byte
	Selection Data
	// Start and End are the offsets in what was parsed.
	Start, End int
}

// DescriptorSize is the size of class, object and member.
const DescriptorSize = 2 + 6 + 1

// Result says how it went with one descriptor of a request.
type Result struct {
	Choice Choice
	Code   byte
	Start  int // offset in what was parsed
}

// ResultSize is the size of a result.
const ResultSize = 2

// List is a count with the offset where it stands.
type List struct {
	Length Length
	Start  int
}

// AccessRequest asks a device to get, set and execute.
type AccessRequest struct {
	Head
	Descriptors    []Descriptor
	Data           []Data
	DescriptorList List
	DataList       List
}

// AccessResponse answers an [AccessRequest].
type AccessResponse struct {
	Head
	Specification byte // whether the descriptors are repeated: 0, the only value taken
	Data          []Data
	Results       []Result
	DataList      List
	ResultList    List
}

// DataNotification carries an alert.
type DataNotification struct {
	Head
	Body Data
}

// Append appends the payload.
func (a AccessRequest) Append(b []byte) []byte {
	b = a.append(append(b, TagAccessRequest))
	b = Length{len(a.Descriptors), a.DescriptorList.Length.Size}.append(b)
	for _, d := range a.Descriptors {
		b = append(b, byte(d.Choice), byte(d.Class>>8), byte(d.Class))
		b = append(append(b, d.Object[:]...), byte(d.Member))
		if d.Choice == GetWithSelection {
			b = d.Selection.Append(append(b, d.Selector))
		}
	}
	return appendData(b, a.Data, a.DataList)
}

// Append appends the payload.
func (a AccessResponse) Append(b []byte) []byte {
	b = append(a.append(append(b, TagAccessResponse)), a.Specification)
	b = appendData(b, a.Data, a.DataList)
	b = Length{len(a.Results), a.ResultList.Length.Size}.append(b)
	for _, r := range a.Results {
		b = append(b, byte(r.Choice), r.Code)
	}
	return b
}

// Append appends the payload.
func (n DataNotification) Append(b []byte) []byte {
	return n.Body.Append(n.append(append(b, TagDataNotification)))
}

func (h Head) append(b []byte) []byte { return append(append(b, h.InvokeID[:]...), h.DateTime...) }

func appendData(b []byte, data []Data, list List) []byte {
	b = Length{len(data), list.Length.Size}.append(b)
	for _, d := range data {
		b = d.Append(b)
	}
	return b
}

// ParseAccessRequest reads data from an offset on, which is one payload. Offsets, in errors
// too, count from the start of data.
func ParseAccessRequest(data []byte, offset int) (AccessRequest, error) {
	r := reader{data: data, off: offset}
	a := AccessRequest{Head: r.head(TagAccessRequest)}
	a.DescriptorList = r.list("descriptors", 1+DescriptorSize)
	for range a.DescriptorList.Length.N {
		if r.err != nil {
			break
		}
		a.Descriptors = append(a.Descriptors, r.descriptor())
	}
	a.Data, a.DataList = r.dataList()
	if err := r.done(); err != nil {
		return AccessRequest{}, err
	}
	return a, nil
}

// ParseAccessResponse reads data from an offset on, which is one payload. Offsets, in errors
// too, count from the start of data.
func ParseAccessResponse(data []byte, offset int) (AccessResponse, error) {
	r := reader{data: data, off: offset}
	a := AccessResponse{Head: r.head(TagAccessResponse)}
	start := r.off
	if a.Specification = r.byte("presence of descriptors"); a.Specification != 0 {
		r.failf(start, "presence of descriptors %d, want 0", a.Specification)
	}
	a.Data, a.DataList = r.dataList()
	a.ResultList = r.list("results", ResultSize)
	for range a.ResultList.Length.N {
		if r.err != nil {
			break
		}
		start := r.off
		choice := r.choice()
		a.Results = append(a.Results, Result{Choice: choice, Code: r.byte("result"), Start: start})
	}
	if err := r.done(); err != nil {
		return AccessResponse{}, err
	}
	return a, nil
}

// ParseDataNotification reads data from an offset on, which is one payload. Offsets, in errors
// too, count from the start of data.
func ParseDataNotification(data []byte, offset int) (DataNotification, error) {
	r := reader{data: data, off: offset}
	n := DataNotification{Head: r.head(TagDataNotification)}
	if r.err == nil {
		n.Body = r.value(0)
	}
	if err := r.done(); err != nil {
		return DataNotification{}, err
	}
	return n, nil
}

// ParseData reads one value from an offset on, up to the end of data. Offsets, in errors
// too, count from the start of data.
func ParseData(data []byte, offset int) (Data, error) {
	r := reader{data: data, off: offset}
	d := r.value(0)
	if err := r.done(); err != nil {
		return Data{}, err
	}
	return d, nil
}

func (r *reader) head(tag byte) Head {
	start := r.off
	if got := r.byte("tag"); r.err == nil && got != tag {
		r.failf(start, "tag %02X, want %02X", got, tag)
	}
	var h Head
	copy(h.InvokeID[:], r.take(len(h.InvokeID), "invoke identifier"))
	start = r.off
	const dateTimeSize = 12
	n := r.byte("length of the date-time")
	if n != 0 && n != dateTimeSize {
		r.failf(start, "date-time of %d bytes, want 0 or %d", n, dateTimeSize)
	}
	r.take(int(n), "date-time")
	if r.err == nil {
		h.DateTime = r.data[start:r.off:r.off]
	}
	return h
}

func (r *reader) list(what string, least int) List {
	start := r.off
	return List{Start: start, Length: r.length(what, least)}
}

func (r *reader) dataList() ([]Data, List) {
	l := r.list("data", 1)
	var data []Data
	for range l.Length.N {
		if r.err != nil {
			break
		}
		data = append(data, r.value(0))
	}
	return data, l
}

func (r *reader) descriptor() Descriptor {
	d := Descriptor{Start: r.off}
	d.Choice = r.choice()
	if b := r.take(2, "class"); b != nil {
		d.Class = uint16(b[0])<<8 | uint16(b[1])
	}
	copy(d.Object[:], r.take(len(d.Object), "object"))
	d.Member = int8(r.byte("attribute or method"))
	if r.err == nil && d.Choice == GetWithSelection {
		d.Selector = r.byte("selector")
		d.Selection = r.value(0)
	}
	d.End = r.off
	return d
}

func (r *reader) choice() Choice {
	start := r.off
	c := Choice(r.byte("choice"))
	if _, known := choiceNames[c]; r.err == nil && !known {
		r.failf(start, "choice %d, want 1 to 4", byte(c))
	}
	return c
}
