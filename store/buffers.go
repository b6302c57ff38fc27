package store

import (
	"sync"

	"pabal/protocol/attachment"
)

// buffers are for sealed chunks: each is as large as one can be.
var buffers = sync.Pool{New: func() any {
	b := make([]byte, attachment.SealedBytesMax)
	return &b
}}

func takeBuffer() *[]byte { return buffers.Get().(*[]byte) }

func giveBuffer(b *[]byte) { buffers.Put(b) }
