// Package scan finds the QR code in a picture that somebody was sent or has photographed, so that
// a frontend needs no decoder of its own. The picture may be anybody's: it is decoded within the
// limits of [pabal/node/portrait], and a decoder that fails on it finds nothing.
package scan
