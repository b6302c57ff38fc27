package p2p

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"
	"testing"

	"pabal/protocol/identity"
	"pabal/protocol/wire"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
)

// asked asks a host, as a stranger, what identify tells, and returns the bytes.
func asked(t *testing.T, seed byte, to peer.AddrInfo) []byte {
	t.Helper()
	s := foreign(t, seed)
	if err := s.Connect(context.Background(), to); err != nil {
		t.Fatal(err)
	}
	stream, err := s.NewStream(context.Background(), to.ID, identify.ID)
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(stream)
	if err != nil {
		t.Fatal(err)
	}
	size, n := binary.Uvarint(all)
	if n <= 0 || int(size) != len(all)-n {
		t.Fatalf("identify told %d bytes, not one message", len(all))
	}
	return all[n:]
}

// The fields of a message of identify, by their numbers in its protobuf.
const (
	fieldKey          = 1
	fieldProtocols    = 3
	fieldObserved     = 4
	fieldVersion      = 5
	fieldAgent        = 6
	fieldsOfIdentify  = "1 3 4 5 6" // neither 2, addresses, nor 8, a signed record
	lengthDelimitedIs = 2
)

// fieldsOf splits a message of identify: all its fields are strings of bytes.
func fieldsOf(t *testing.T, message []byte) map[uint64][]string {
	t.Helper()
	fields := map[uint64][]string{}
	for len(message) > 0 {
		tag, n := binary.Uvarint(message)
		size, m := binary.Uvarint(message[max(n, 0):])
		if n <= 0 || m <= 0 || tag&7 != lengthDelimitedIs || size > uint64(len(message)-n-m) {
			t.Fatalf("identify told something that is no field: %x", message)
		}
		end := n + m + int(size)
		fields[tag>>3] = append(fields[tag>>3], string(message[n+m:end]))
		message = message[end:]
	}
	for _, values := range fields {
		slices.Sort(values)
	}
	return fields
}

// TestIdentifyMessage reads the message itself, field by field: the transport key,
// the stranger's own address, and what every host of ours says. A host with a
// trusted connection and one without tell the same but for the key.
func TestIdentifyMessage(t *testing.T) {
	busy, friend, idle := loopback(t, 1), loopback(t, 2), loopback(t, 3)
	connectPair(t, friend, busy, wire.QUIC)
	var told []map[uint64][]string
	for i, h := range []*Host{busy, idle} {
		message := asked(t, byte(20+i), infoOf(t, h, wire.QUIC))
		if bytes.Contains(bytes.ToLower(message), []byte("pabal")) {
			t.Error("identify tells our name")
		}
		fields := fieldsOf(t, message)
		if numbers := fmt.Sprint(slices.Sorted(maps.Keys(fields))); numbers != "["+fieldsOfIdentify+"]" {
			t.Errorf("identify tells fields %s", numbers)
		}
		key, err := crypto.UnmarshalPublicKey([]byte(fields[fieldKey][0]))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := key.Raw()
		if err != nil || identity.TransportKey(raw) != h.Key() {
			t.Error("the key told is not the transport key")
		}
		delete(fields, fieldKey)
		delete(fields, fieldObserved) // where the stranger is
		told = append(told, fields)
	}
	want := map[uint64][]string{
		fieldProtocols: {string(identify.ID), string(identify.IDPush), string(circuitProtocol), string(fileProtocol), string(punchProtocol),
			string(messageProtocol), string(livenessProtocol), string(relayProtocol)},
		fieldVersion: {""},
		fieldAgent:   {agentName},
	}
	for _, fields := range told {
		if fmt.Sprint(fields) != fmt.Sprint(want) {
			t.Errorf("identify tells %v, want %v", fields, want)
		}
	}
}

// TestOnlyBlandProtocolsAnswer asks for protocols that libp2p hosts often have, and
// for some with our name: none is there.
func TestOnlyBlandProtocolsAnswer(t *testing.T) {
	h, s := loopback(t, 1), foreign(t, 9)
	info := infoOf(t, h, wire.TCP)
	if err := s.Connect(context.Background(), info); err != nil {
		t.Fatal(err)
	}
	for _, id := range []protocol.ID{"/ipfs/ping/1.0.0", "/libp2p/autonat/1.0.0", "/libp2p/circuit/relay/0.2.0/hop",
		"/libp2p/circuit/relay/0.2.0/stop", "/libp2p/dcutr", "/ipfs/kad/1.0.0", "/meshsub/1.1.0", "/pabal/1", "/pabal/m/1", "/x/m/2"} {
		stream, err := s.NewStream(context.Background(), info.ID, id)
		if err == nil {
			t.Errorf("protocol %s answers", id)
			stream.Reset()
		}
	}
}
