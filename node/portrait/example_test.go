package portrait_test

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"

	"pabal/node/portrait"
)

func ExampleMake() {
	var beach bytes.Buffer
	if err := png.Encode(&beach, image.NewGray(image.Rect(0, 0, 640, 480))); err != nil {
		return
	}
	small, err := portrait.Make(beach.Bytes())
	if err != nil {
		return
	}
	config, err := jpeg.DecodeConfig(bytes.NewReader(small))
	fmt.Println(config.Width, config.Height, err)
	// Output: 192 192 <nil>
}
