package decode_test

import (
	"fmt"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/decode"
	"github.com/commshub/commshub/han/ota"
)

func ExampleFrame() {
	tree, err := decode.Frame(han.Frame{Cluster: ota.ClusterID, Payload: []byte{
		0x01, 0x07, 0x03, 0x00, 0x9A, 0x10, 0x01, 0x00, 0x01, 0x02, 0x00, 0x00, 0x60, 0x00, 0x00, 0x00, 0x30,
	}})
	if err != nil {
		fmt.Println(err)
	}
	fmt.Printf("%s: %s\n", tree.Command, tree.Detail)
	for _, f := range tree.Fields[1].Children {
		fmt.Printf("%2d to %2d  %-17s  %s\n", f.Start, f.End(), f.Name, f.Value)
	}
	// Output:
	// Image Block Request: offset 96, at most 48 bytes
	//  3 to  4  field control      00
	//  4 to 12  image              109A/0001/00000201
	// 12 to 16  offset             96
	// 16 to 17  maximum data size  48 bytes
}
