// Package wire holds every byte format of the protocol and is the only parser of
// hostile bytes: frames, addresses, links, bundles, requests, accepts, envelopes and
// contents. It knows layouts and limits, and no secrets, state or rules of conduct.
//
// A decoder takes bytes from a stranger and returns a value or one of the package's
// errors; it never panics, never reads past a named limit and never keeps a reference
// to its input unless it says so. Every format has exactly one encoding: what decodes
// encodes to the same bytes again, and the fuzz targets hold the package to it.
//
// Layout of a frame on a stream:
//
//	length u32 ‖ type u8 ‖ body         length counts type and body
//
// Main types: [Type] with [ParseHeader] and [AppendFrame], [Address], [Link],
// [Bundle], [Content]. Typical use:
//
//	t, n, err := wire.ParseHeader(header)        // five bytes from the stream
//	contents, err := wire.DecodeContents(body)   // what an envelope held
//	link, err := wire.ParseLink(pasted)          // any text with a link in it
//
// Spec: protocol/doc/spec.md, "Links", "Bundle, request, accept", "Frames", "Contents".
package wire
