package profile

import "time"

const (
	nameBytesMax     = 64       // of a profile's name; implementation
	socketBytesMax   = 103      // sun_path is 104 bytes on the smallest system, one of them the final NUL
	apiFileBytesMax  = 64 << 10 // of api.json; implementation
	daemonsMax       = 256      // runtime directories looked at; implementation
	dialTimeout      = 500 * time.Millisecond
	defaultName      = "default"
	socketName       = "pabal.sock"
	apiFileName      = "api.json"
	shortDirHexBytes = 8 // of the hash that names a short socket directory
)
