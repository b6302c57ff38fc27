package identity

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"golang.org/x/crypto/chacha20poly1305"
)

// ErrOpen reports bytes that do not open under the given key. It says nothing
// about why: every decryption failure looks alike.
var ErrOpen = errors.New("identity: sealed bytes do not open")

// Label names one use of a hash, signature, key derivation or seal. Its bytes are
// "pabal/1 ", the name and a zero byte, and go in front of what is hashed, signed
// or bound. A label is used in exactly one place of the code (a test checks it).
type Label string

// All labels of the protocol (spec: "Conventions and primitives", table of labels).
const (
	LabelPrekey        Label = "prekey"         // encaps to the bundle's prekey
	LabelInviter       Label = "inviter"        // encaps to the inviter's device key
	LabelInvitee       Label = "invitee"        // encaps to the invitee's device key
	LabelRatchet       Label = "ratchet"        // encaps to the request's ratchet key
	LabelTurn          Label = "turn"           // encaps of a step of a session
	LabelDevice        Label = "device"         // signature of a device entry
	LabelListSignature Label = "list signature" // signature of a device list
	LabelList          Label = "list"           // hash of a device list
	LabelBundle        Label = "bundle"         // signature of a bundle
	LabelPin           Label = "pin"            // pin in a link
	LabelBundleKey     Label = "bundle key"     // key of a sealed bundle
	LabelSealedBundle  Label = "sealed bundle"  // bound data of a sealed bundle
	LabelRequestTag    Label = "request tag"    // tag of a request
	LabelFetch         Label = "fetch"          // capability to fetch a bundle
	LabelDeposit       Label = "deposit"        // capability to deposit a request
	LabelBundleHash    Label = "bundle hash"    // hash of a bundle
	LabelRepair        Label = "repair"         // stands for the bundle hash in a repair
	LabelRequestKey    Label = "request key"    // key of a request
	LabelRequest       Label = "request"        // bound data of a request
	LabelRequestHash   Label = "request hash"   // hash of a request
	LabelReply         Label = "reply"          // slot an accept is left in
	LabelAccess        Label = "access"         // what a courier keeps of a capability
	LabelMailboxID     Label = "mailbox id"     // mailbox that is found by a capability alone
	LabelMailboxHello  Label = "mailbox hello"  // hello key of a capability's holder
	LabelBundleFile    Label = "bundle file"    // tag and key of a bundle file
	LabelSealedFile    Label = "sealed file"    // bound data of a bundle file
	LabelAcceptKey     Label = "accept key"     // key of an accept
	LabelAccept        Label = "accept"         // bound data of an accept
	LabelSession       Label = "session"        // session id
	LabelRoot          Label = "root"           // first keys of a session
	LabelStep          Label = "step"           // keys of a step
	LabelHeader        Label = "header"         // bound data of a header
	LabelKeys          Label = "keys"           // bound data of a keys block
	LabelBody          Label = "body"           // bound data of a body
	LabelCheck         Label = "check"          // check value of a root in a sync frame
	LabelDay           Label = "day"            // next day of a pair chain
	LabelTransport     Label = "transport"      // next day of a transport chain
	LabelRepairHello   Label = "repair hello"   // hello key of a repair
	LabelLinkHello     Label = "link hello"     // hello key of a link
	LabelReseed        Label = "reseed"         // new start of a pair chain
	LabelBeacon        Label = "beacon"         // tag of a beacon on a local network
	LabelDHT           Label = "dht"            // name and key of a record in the DHT
	LabelDHTRecord     Label = "dht record"     // bound data of a record in the DHT
	LabelDHTShift      Label = "dht shift"      // when a pair's names change
	LabelFingerprint   Label = "fingerprint"    // fingerprint of an account
	LabelHost          Label = "host"           // host tag of two contacts
	LabelPair          Label = "pair"           // secret of two members of a group
	LabelStamp         Label = "stamp"          // salt of a stamp
	LabelEpoch         Label = "epoch"          // next epoch of a channel
	LabelTopic         Label = "topic"          // topic of a channel
	LabelPost          Label = "post"           // signature of a channel's post
	LabelGroup         Label = "group"          // signature of a group's message
	LabelGroupTag      Label = "group tag"      // hash that names a group's message
	LabelGroupBody     Label = "group body"     // hash of what a group's message says
	LabelOperation     Label = "operation"      // signature of an operation on a group
	LabelOperationID   Label = "operation id"   // hash that names an operation on a group
	LabelLeave         Label = "leave"          // signature of a member who leaves a group
	LabelGroupProfile  Label = "group profile"  // signature of a member's profile in a group
	LabelGroupHint     Label = "group hint"     // by which a contact knows a member's key
	LabelMember        Label = "member"         // secret of a member key that a contact was given
	LabelStock         Label = "stock"          // signature of a member key that a contact is given
	LabelAdmission     Label = "admission"      // signature of who has added a contact to a group
	LabelChunk         Label = "chunk"          // hash of a chunk of a file
	LabelRootOfFile    Label = "file root"      // root of a file
	LabelSealedChunk   Label = "sealed chunk"   // bound data of a chunk
	LabelPart          Label = "part"           // key of a part of a small file
)

// Labels returns every label of the protocol, in the order of the spec's table.
func Labels() []Label {
	return []Label{
		LabelPrekey, LabelInviter, LabelInvitee, LabelRatchet, LabelTurn,
		LabelDevice, LabelListSignature, LabelList, LabelBundle, LabelPin,
		LabelBundleKey, LabelSealedBundle, LabelRequestTag, LabelFetch, LabelDeposit,
		LabelBundleHash, LabelRepair, LabelRequestKey, LabelRequest, LabelRequestHash,
		LabelReply, LabelAccess, LabelMailboxID, LabelMailboxHello, LabelBundleFile, LabelSealedFile, LabelAcceptKey, LabelAccept, LabelSession, LabelRoot,
		LabelStep, LabelHeader, LabelKeys, LabelBody, LabelCheck,
		LabelDay, LabelTransport, LabelRepairHello, LabelLinkHello, LabelReseed, LabelBeacon, LabelDHT, LabelDHTRecord, LabelDHTShift,
		LabelFingerprint, LabelHost, LabelPair, LabelStamp, LabelEpoch, LabelTopic,
		LabelPost, LabelGroup, LabelGroupTag, LabelGroupBody, LabelOperation, LabelOperationID, LabelLeave, LabelGroupProfile, LabelGroupHint, LabelMember, LabelStock, LabelAdmission, LabelChunk, LabelRootOfFile, LabelSealedChunk, LabelPart,
	}
}

// labelPrefix starts the bytes of every label.
const labelPrefix = "pabal/1 "

// Append appends the label's bytes to dst and returns it.
func (l Label) Append(dst []byte) []byte {
	dst = append(dst, labelPrefix...)
	dst = append(dst, l...)
	return append(dst, 0)
}

// Join returns the label's bytes followed by the parts, in a new slice.
func (l Label) Join(parts ...[]byte) []byte {
	n := len(labelPrefix) + len(l) + 1
	for _, p := range parts {
		n += len(p)
	}
	out := l.Append(make([]byte, 0, n))
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// Hash returns SHA-256 of the label's bytes and the parts.
func (l Label) Hash(parts ...[]byte) [HashSize]byte {
	return sha256.Sum256(l.Join(parts...))
}

// Uint32 returns v as four bytes, most significant first.
func Uint32(v uint32) []byte {
	return binary.BigEndian.AppendUint32(nil, v)
}

// Hash returns SHA-256 of b.
func Hash(b []byte) [HashSize]byte {
	return sha256.Sum256(b)
}

// Extract is HKDF-Extract with SHA-256. The secrets are concatenated.
func Extract(salt []byte, secrets ...[]byte) [KeySize]byte {
	var ikm []byte
	for _, s := range secrets {
		ikm = append(ikm, s...)
	}
	return MAC(salt, ikm)
}

// Expand is HKDF-Expand with SHA-256: n bytes from the key prk for the use info.
// n must lie between 1 and 8160; anything else is a mistake of the caller and panics.
func Expand(prk [KeySize]byte, info []byte, n int) []byte {
	if n < 1 {
		panic("identity: Expand to nothing")
	}
	out, err := hkdf.Expand(sha256.New, prk[:], string(info), n)
	if err != nil {
		panic("identity: Expand beyond the limit of HKDF")
	}
	return out
}

// ExpandKey is Expand to one 32-byte key.
func ExpandKey(prk [KeySize]byte, info []byte) [KeySize]byte {
	return MAC(prk[:], append(info[:len(info):len(info)], 1))
}

// MAC is HMAC with SHA-256. Keys longer than 64 bytes are hashed first, as HMAC
// says. Short messages are computed without allocating: a session calls this four
// times per message.
func MAC(key, message []byte) [HashSize]byte {
	const block = sha256.BlockSize
	var pad [block]byte
	if len(key) > block {
		h := sha256.Sum256(key)
		copy(pad[:], h[:])
	} else {
		copy(pad[:], key)
	}
	var small [4 * block]byte
	buf := small[:0]
	for _, b := range pad {
		buf = append(buf, b^0x36)
	}
	buf = append(buf, message...)
	inner := sha256.Sum256(buf)
	var outer [block + HashSize]byte
	for i, b := range pad {
		outer[i] = b ^ 0x5c
	}
	copy(outer[block:], inner[:])
	return sha256.Sum256(outer[:])
}

// Seal appends to dst the ChaCha20-Poly1305 sealing of text under key and nonce,
// bound to bound. A key must never seal twice with one nonce.
func Seal(dst []byte, key [KeySize]byte, nonce [NonceSize]byte, text, bound []byte) []byte {
	aead, err := chacha20poly1305.New(key[:])
	if err != nil {
		panic("identity: key size of ChaCha20-Poly1305")
	}
	return aead.Seal(dst, nonce[:], text, bound)
}

// Open appends to dst the text that Seal sealed, or returns ErrOpen. Nothing of dst
// may be used after an error. sealed and dst may overlap only exactly.
func Open(dst []byte, key [KeySize]byte, nonce [NonceSize]byte, sealed, bound []byte) ([]byte, error) {
	aead, err := chacha20poly1305.New(key[:])
	if err != nil {
		panic("identity: key size of ChaCha20-Poly1305")
	}
	out, err := aead.Open(dst, nonce[:], sealed, bound)
	if err != nil {
		return nil, ErrOpen
	}
	return out, nil
}

// SealZero is Seal with the zero nonce, for a key that seals once in its life.
func SealZero(dst []byte, key [KeySize]byte, text, bound []byte) []byte {
	return Seal(dst, key, [NonceSize]byte{}, text, bound)
}

// OpenZero opens what SealZero sealed.
func OpenZero(dst []byte, key [KeySize]byte, sealed, bound []byte) ([]byte, error) {
	return Open(dst, key, [NonceSize]byte{}, sealed, bound)
}
