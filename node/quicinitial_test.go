package node_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"testing"
)

// The first packets of a QUIC connection are sealed under keys that anybody who
// saw its first datagram can compute (RFC 9001, section 5.2): whoever watches the
// line reads the TLS hellos. This file does the same.

// initialSalt is that of QUIC version 1.
var initialSalt = []byte{
	0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
	0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a,
}

// initialKeys are those of one side of one connection.
type initialKeys struct {
	seal       cipher.AEAD
	iv         []byte
	protection cipher.Block
	hello      []byte // of TLS, as far as it has come
}

func newInitialKeys(t testing.TB, destination []byte, side string) *initialKeys {
	t.Helper()
	secret := must[[]byte](t)(hkdf.Extract(sha256.New, destination, initialSalt))
	secret = expandLabel(t, secret, side+" in", 32)
	seal := must[cipher.Block](t)(aes.NewCipher(expandLabel(t, secret, "quic key", 16)))
	return &initialKeys{
		seal: must[cipher.AEAD](t)(cipher.NewGCM(seal)), iv: expandLabel(t, secret, "quic iv", 12),
		protection: must[cipher.Block](t)(aes.NewCipher(expandLabel(t, secret, "quic hp", 16))),
	}
}

// expandLabel is HKDF-Expand-Label of TLS 1.3 without a context.
func expandLabel(t testing.TB, secret []byte, label string, size int) []byte {
	t.Helper()
	label = "tls13 " + label
	info := append([]byte{0, byte(size), byte(len(label))}, label...)
	return must[[]byte](t)(hkdf.Expand(sha256.New, secret, string(append(info, 0)), size))
}

// tlsHellos opens every Initial packet among the datagrams and returns the TLS
// messages in them, one connection and side after the other.
func tlsHellos(t testing.TB, datagrams [][]byte) (hellos [][]byte) {
	t.Helper()
	var order []*initialKeys
	known := map[string]bool{}
	for _, d := range datagrams {
		for _, p := range longPackets(d) {
			if p.kind != 0 {
				continue
			}
			if !known[string(p.destination)] {
				known[string(p.destination)] = true
				order = append(order, newInitialKeys(t, p.destination, "client"), newInitialKeys(t, p.destination, "server"))
			}
			for _, keys := range order {
				if payload, ok := keys.open(p); ok {
					keys.gather(payload)
					break
				}
			}
		}
	}
	for _, keys := range order {
		if len(keys.hello) > 0 {
			hellos = append(hellos, keys.hello)
		}
	}
	return hellos
}

// longPacket is a packet with a long header.
type longPacket struct {
	bytes       []byte // up to its end
	kind        byte   // 0 Initial, 2 Handshake
	destination []byte
	number      int // where the packet number begins
}

// longPackets splits a datagram into its packets with long headers. What is none
// of version 1 ends it.
func longPackets(d []byte) (packets []longPacket) {
	for len(d) > 7 && d[0]&0xc0 == 0xc0 && binary.BigEndian.Uint32(d[1:]) == 1 {
		r := reader{d[5:], true}
		p := longPacket{kind: d[0] >> 4 & 3, destination: r.take(int(r.byte()))}
		r.take(int(r.byte()))
		if p.kind == 0 {
			r.take(int(r.varint()))
		}
		length := int(r.varint())
		p.number = len(d) - len(r.left)
		r.take(length)
		if !r.ok {
			return packets
		}
		p.bytes = d[:len(d)-len(r.left)]
		packets = append(packets, p)
		d = r.left
	}
	return packets
}

func (k *initialKeys) open(p longPacket) ([]byte, bool) {
	b := bytes.Clone(p.bytes)
	if len(b) < p.number+20 {
		return nil, false
	}
	var mask [16]byte
	k.protection.Encrypt(mask[:], b[p.number+4:p.number+20])
	b[0] ^= mask[0] & 0x0f
	size := int(b[0]&3) + 1
	nonce := bytes.Clone(k.iv)
	for i := range size {
		b[p.number+i] ^= mask[1+i]
		nonce[len(nonce)-size+i] ^= b[p.number+i] // the first packets: the number is whole
	}
	payload, err := k.seal.Open(nil, nonce, b[p.number+size:], b[:p.number+size])
	return payload, err == nil
}

// gather takes the CRYPTO frames of a payload.
func (k *initialKeys) gather(payload []byte) {
	r := reader{payload, true}
	for r.ok && len(r.left) > 0 {
		switch kind := r.varint(); kind {
		case 0, 1: // padding, ping
		case 2, 3: // ack
			r.varint()
			r.varint()
			for range 2*r.varint() + 1 {
				r.varint()
			}
			for range 3 * (kind - 2) {
				r.varint()
			}
		case 6:
			offset := int(r.varint())
			data := r.take(int(r.varint()))
			if end := offset + len(data); end > len(k.hello) {
				k.hello = append(k.hello, make([]byte, end-len(k.hello))...)
			}
			copy(k.hello[offset:], data)
		default:
			return
		}
	}
}

// reader reads integers of QUIC; ok tells whether there was enough.
type reader struct {
	left []byte
	ok   bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.left) {
		r.ok, r.left = false, nil
		return nil
	}
	b := r.left[:n]
	r.left = r.left[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.take(1); r.ok {
		return b[0]
	}
	return 0
}

func (r *reader) varint() uint64 {
	first := r.byte()
	v := uint64(first & 0x3f)
	for range 1<<(first>>6) - 1 {
		v = v<<8 | uint64(r.byte())
	}
	return v
}
