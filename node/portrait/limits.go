package portrait

const (
	// BytesMax bounds the picture that is given.
	BytesMax = 20 << 20
	// DecodedBytesMax bounds the memory that it may need, decoded, beside its own bytes.
	DecodedBytesMax = 64 << 20
	// ScansMax bounds the scans of a JPEG, each of which goes over the whole picture: cameras
	// and programs make a dozen at the most.
	ScansMax = 64
	// Side is the width and the height of what is made, in pixels, unless the picture is
	// smaller.
	Side = 192
	// ThumbnailsBytes is for how many bytes the thumbnails of one message are made together:
	// its manifest holds them beside a caption and the names.
	ThumbnailsBytes = 32 << 10

	pngInterlace = 28 // where a PNG says whether it is interlaced
	jpegUnit     = 32 // pixels of the largest unit of a JPEG, in each direction

	samplesMax = 4 // of the picture that are looked at for one pixel, in each direction
)
