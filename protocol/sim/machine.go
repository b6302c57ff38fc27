package sim

import (
	"cmp"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"time"

	"pabal/protocol"
	"pabal/protocol/identity"
	"pabal/protocol/wire"
)

// Mutation is a deliberate mistake of the simulated daemon: the promises must
// be seen to break.
type Mutation int

// The mutations.
const (
	// Faithful makes no mistake.
	Faithful Mutation = iota
	// AckBeforeCommit sends and answers before the commit, which a crash may lose.
	AckBeforeCommit
	// ReuseChain loses a commit after its sends are done and goes on from the state
	// before, as if the disk had taken it back.
	ReuseChain
	// FalseReceipt lets the recipient's disk lose the messages of a batch whose acks
	// were sent.
	FalseReceipt
	// DropReceipt sends no acks but those that ride in messages.
	DropReceipt
	// ForwardAsOwn does not say of what is forwarded that it was somebody's message already.
	ForwardAsOwn
	// WrongPart makes other parts of files than were asked for.
	WrongPart
)

// machine is a computer with one profile: the daemon around one Peer.
type machine struct {
	w      *World
	index  int
	random io.Reader // the peer's; never rewound, not even by a restored disk
	boot   [32]byte

	disk     *disk
	full     bool // the disk has no room for the next commit
	peer     *protocol.Peer
	on       bool
	asleep   bool
	skew     time.Duration // of its clock
	stepped  time.Time     // what it showed at the last batch
	offset   time.Duration // of the hour at which its transport key changes
	life     uint64        // changes with each crash: what was due before is void
	deferred []func()      // due while asleep

	inbox   []protocol.Input
	refs    map[uint64]answer
	lastRef uint64
	busy    bool // a batch is under way
	wakes   uint64
	spins   int
	again   resent

	conns    map[protocol.ConnID]*end
	lastConn protocol.ConnID
	hostDay  uint32
	hostKey  identity.TransportKey

	addresses []wire.Address
	lan       int  // the local network that it is on, 0 = none
	heard     bool // the person trusts it
	walled    bool // nobody gets in by itself
	home      bool // it is a home node: nobody writes there
	away      bool // its turn is over: it does not start
	hours     routine
	lie       lie  // what it does as a courier
	gone      bool // for good
	account   identity.AccountPublic
	secrets   [][]byte // what must never be seen on the wire

	touched   bool // something was committed since it was checked in full
	snapshots []*disk
	restores  []time.Time
	epoch     int                           // how often its disk was put back
	quotas    map[protocol.ContactID]uint64 // the most that it ever offered to keep, in bytes
	removed   map[*machine]bool             // whose contact somebody removed here
	offers    map[protocol.InviteID]bool    // invites that are open for a while from healing on
}

// answer is what a person does with the outcome of a command.
type answer func(result any, code string)

func newMachine(w *World, index int) *machine {
	m := &machine{
		w: w, index: index, random: newSource(w.plan.Seed, uint64(index)+1), disk: newDisk(),
		conns: make(map[protocol.ConnID]*end), refs: make(map[uint64]answer), removed: make(map[*machine]bool),
		home: index >= w.plan.Peers, quotas: make(map[protocol.ContactID]uint64),
	}
	m.boot[0], m.boot[1] = byte(index+1), byte((index+1)>>8)
	m.offset = w.between(-rotateSpread, rotateSpread)
	return m
}

func (m *machine) String() string {
	if m == nil {
		return "nobody"
	}
	return letterOf(m.index)
}

// clock is the time as the machine knows it.
func (m *machine) clock() time.Time { return m.w.now.Add(m.skew) }

func (m *machine) config() protocol.Config {
	return protocol.Config{BootID: m.boot, KeyOffset: m.offset, Home: m.home, Groups: m.w.plan.Groups > 0}
}

// create makes the account and puts it on the disk.
func (m *machine) create() {
	peer, out, err := protocol.Create(m.random, m.config(), m.clock(), personName(m.index, 0))
	if err != nil {
		m.w.fail("%v: create: %v", m, err)
		return
	}
	if err := m.disk.commit(out.Writes); err != nil {
		m.w.fail("%v: %v", m, err)
		return
	}
	m.account = peer.Account()
	m.secrets = append(m.secrets, m.account[:], peer.Devices()[0].Key[:32])
	m.w.secrets.add(m)
	m.w.truth.accounts[m.account] = m
	m.peer = peer
	m.w.network.move(m)
	m.start()
}

// start begins a life of the daemon with the Peer that was loaded.
func (m *machine) start() {
	m.on, m.asleep, m.busy = true, false, false
	m.inbox = nil // what came while it was off
	m.life++
	m.openHost()
	m.tellPlace()
	m.tellDHT()
	m.setWake(m.clock())
}

func (m *machine) networkChanged() protocol.NetworkChanged {
	return protocol.NetworkChanged{Own: m.addresses, Subnets: m.subnets()}
}

func (m *machine) openHost() {
	m.hostDay = m.peer.KeyDay(m.clock())
	m.hostKey = m.peer.Transport(m.clock()).Public()
}

// after has something happen on this machine, unless it crashes before; if it
// sleeps then, when it wakes.
func (m *machine) after(d time.Duration, run func()) {
	life := m.life
	m.w.after(d, func() {
		switch {
		case !m.on || m.life != life:
		case m.asleep:
			m.deferred = append(m.deferred, run)
		default:
			run()
		}
	})
}

// push gives the daemon an input.
func (m *machine) push(in protocol.Input) {
	m.inbox = append(m.inbox, in)
	m.gather()
}

// command gives the daemon a command and remembers what to do with its outcome.
func (m *machine) command(make func(ref uint64) protocol.Input, then answer) {
	m.lastRef++
	if then != nil {
		m.refs[m.lastRef] = then
	}
	m.push(make(m.lastRef))
}

// gather begins a batch soon, unless one is under way.
func (m *machine) gather() {
	if m.busy || len(m.inbox) == 0 {
		return
	}
	m.busy = true
	m.after(m.w.between(0, 4*time.Millisecond), m.batch)
}

// batch steps what waits, ends with Flush, and begins the commit.
func (m *machine) batch() {
	m.rotate()
	inputs := m.inbox[:min(len(m.inbox), batchInputsMax)]
	m.inbox = m.inbox[len(inputs):]
	m.stepped = m.clock()
	var all protocol.Output
	spin := true
	for _, in := range inputs {
		if _, woke := in.(protocol.Woke); !woke {
			spin = false
		}
		if send, ok := in.(protocol.SendText); ok && m.w.plan.Mutation == ForwardAsOwn {
			send.Forwarded = false
			in = send
		}
		m.step(&all, in)
	}
	m.step(&all, protocol.Flush{})
	if m.w.failure != nil {
		return
	}
	m.watchSpin(spin, len(all.Writes)+len(all.Sends)+len(all.Jobs) == 0, all.Wake)
	if m.w.plan.Mutation == AckBeforeCommit {
		m.release(all)
		all.Sends, all.Replies, all.Jobs = nil, nil, nil
	}
	m.after(m.w.diskDelay(), func() { m.commit(all) })
}

// watchSpin notices a Peer that asks to be woken at once, again and again, for nothing, or to
// do what changes nothing.
func (m *machine) watchSpin(woken, idle bool, wake time.Time) {
	if !woken || wake.IsZero() || wake.After(m.clock()) {
		m.spins = 0
		return
	}
	if m.spins++; idle {
		m.spins += spinsMax / idleSpinsMax
	}
	if m.spins > spinsMax {
		m.w.fail("%v: spins: wakes at %v, it is %v", m, wake, m.clock())
	}
}

// step gives one input to the Peer. A panic is a broken promise.
func (m *machine) step(all *protocol.Output, in protocol.Input) {
	defer func() {
		if r := recover(); r != nil {
			m.w.fail("%v: panic in %s: %v\n%s", m, m.describe(in), r, debug.Stack())
		}
	}()
	if m.w.failure != nil {
		return
	}
	m.w.steps++
	m.w.truth.stepped(m, in)
	out, err := m.peer.Step(m.clock(), in)
	if err != nil {
		m.refused(in, out, err)
		return
	}
	all.Writes = append(all.Writes, out.Writes...)
	all.Sends = append(all.Sends, out.Sends...)
	all.Events = append(all.Events, out.Events...)
	all.Replies = append(all.Replies, out.Replies...)
	all.Jobs = append(all.Jobs, out.Jobs...)
	if _, flush := in.(protocol.Flush); flush {
		all.Wake = out.Wake
	}
	if m.w.trace != nil {
		m.tell(in, out)
	}
}

// tell writes to the trace what an input was and what came of it.
func (m *machine) tell(in protocol.Input, out protocol.Output) {
	switch in.(type) {
	case protocol.Woke, protocol.Flush:
	default:
		m.w.log("%v < %s", m, m.describe(in))
	}
	for _, e := range out.Events {
		m.w.log("%v   event %s %s", m, e.Type, e.Code)
	}
}

// refused checks that a refusal is one: a command's, by code, without an effect.
func (m *machine) refused(in protocol.Input, out protocol.Output, err error) {
	problem, ok := err.(*protocol.Problem)
	if !ok {
		m.w.fail("%v: %s: %v", m, m.describe(in), err)
		return
	}
	if len(out.Writes)+len(out.Sends)+len(out.Events)+len(out.Replies)+len(out.Jobs) > 0 {
		m.w.fail("%v: %s was refused (%s) but had effects", m, m.describe(in), problem.Code)
	}
	m.w.log("%v < %s REFUSED %s", m, m.describe(in), problem.Code)
	m.answered(refOf(in), nil, problem.Code)
}

func (m *machine) answered(ref uint64, result any, code string) {
	if then := m.refs[ref]; then != nil {
		delete(m.refs, ref)
		then(result, code)
	}
}

// commit makes a batch durable and then does what it allows.
func (m *machine) commit(all protocol.Output) {
	if m.full { // the Peer is dropped and loaded again
		m.full = false
		m.crash()
		m.restart()
		return
	}
	switch m.w.plan.Mutation {
	case ReuseChain:
		if m.w.chance(2) {
			all.Replies, all.Jobs = nil, nil
			m.release(all)
			m.crash()
			m.restart()
			return
		}
	case FalseReceipt:
		if m.w.chance(20) {
			all.Writes = slices.DeleteFunc(all.Writes, incoming)
		}
	case DropReceipt:
		if !slices.ContainsFunc(all.Writes, sealing) {
			all.Sends = slices.DeleteFunc(all.Sends, envelope)
		}
	}
	m.apply(m.keeping(all.Writes))
	if m.w.failure != nil {
		return
	}
	m.release(all)
	m.setWake(all.Wake)
	m.busy = false
	m.gather()
}

func incoming(w protocol.Write) bool {
	r, ok := w.(protocol.PutMessage)
	return ok && r.Direction == protocol.In
}

func sealing(w protocol.Write) bool {
	_, ok := w.(protocol.PutOutbox)
	return ok
}

func envelope(s protocol.Send) bool {
	f, ok := s.(protocol.SendFrame)
	return ok && f.Type == wire.TypeEnvelope
}

func (m *machine) apply(writes []protocol.Write) {
	if len(writes) == 0 {
		return
	}
	m.w.commits++
	m.touched = true
	before := m.w.truth.watch(m, writes)
	if err := m.disk.commit(writes); err != nil {
		m.w.fail("%v: %v", m, err)
		return
	}
	m.w.truth.committed(m, writes, before)
}

// release does what a commit allows: sends, answers, jobs.
func (m *machine) release(all protocol.Output) {
	m.w.truth.sealed(m, all.Writes)
	for _, s := range all.Sends {
		m.w.network.send(m, s)
	}
	for _, e := range all.Events {
		m.w.truth.heard(m, e)
		m.w.note(m, string(e.Type), e.Contact[:], e.Conversation[:], e.Ref[:], []byte(e.Code))
	}
	for _, r := range all.Replies {
		m.answered(r.Ref, r.Result, "")
	}
	for _, j := range all.Jobs {
		m.job(j)
	}
}

// setWake wakes the Peer when it asked to be, by the monotonic clock.
func (m *machine) setWake(at time.Time) {
	d := cmp.Or(m.w.plan.Wake, wakeEvery)
	if !at.IsZero() {
		d = min(d, at.Sub(m.clock()))
	}
	m.wakes++
	mine := m.wakes
	m.after(max(d, 0), func() {
		if m.wakes == mine {
			m.expire()
			m.fetchFiles()
			m.push(protocol.Woke{})
		}
	})
}

// expire deletes what is due by the machine's clock.
func (m *machine) expire() {
	for _, e := range m.disk.due(m.clock().UnixMilli(), deleteBatchMax) {
		m.command(func(ref uint64) protocol.Input {
			return protocol.DeleteMessage{
				Ref: ref, ID: e.ID, Conversation: e.Conversation, Sequence: e.Sequence, Direction: e.Direction, Wire: e.Wire, Expired: true,
			}
		}, nil)
	}
}

// rotate changes to the transport key of a new day, as package node does.
func (m *machine) rotate() {
	if m.peer.KeyDay(m.clock()) == m.hostDay {
		return
	}
	before := m.hostKey
	if m.openHost(); m.hostKey == before { // kept: connections last
		return
	}
	m.inbox = append(m.inbox, protocol.Rotated{Key: m.hostKey})
}

// job does a job; its result comes back as an input.
func (m *machine) job(j protocol.Job) {
	m.w.checkJob(m, j)
	d := m.w.between(time.Millisecond, 50*time.Millisecond)
	if _, slow := j.(protocol.MakeStamp); slow {
		d = m.w.between(0, 30*time.Second)
	}
	m.after(d, func() {
		switch j := j.(type) {
		case protocol.FetchContents:
			m.push(protocol.ContentsFetched{Contact: j.Contact, Contents: m.disk.contents(j.Messages)})
		case protocol.FetchParts:
			m.parts(j)
		case protocol.FetchSequences:
			m.push(protocol.SequencesFetched{
				Conversation: j.Conversation, First: j.First, Last: j.Last, Compare: j.Compare,
				Messages: m.disk.ownMessages(j.Conversation, j.First, j.Last),
			})
		case protocol.FetchHeld:
			m.push(protocol.HeldFetched{Conn: j.Conn, Mailbox: j.Mailbox, Items: m.handing(m.disk.heldItems(j.Mailbox, j.Items))})
		case protocol.FetchShared:
			m.push(protocol.SharedFetched{Job: j.Job, Conversation: j.Conversation, Items: m.disk.heads(j)})
		case protocol.MakeStamp:
			m.push(protocol.StampMade{Job: j.Job, Stamp: fakeStamp(j.Tag, j.Day, j.Request), OK: true})
		case protocol.CheckStamp:
			want := fakeStamp(j.Tag, j.Stamp.Day, j.Request)
			m.push(protocol.StampChecked{Job: j.Job, OK: j.Stamp == want})
		default:
			m.w.fail("%v: job %T", m, j)
		}
	})
}

// fakeStamp stands for a stamp: it is bound to the same things and costs nothing.
func fakeStamp(tag [wire.RequestTagSize]byte, day uint32, request []byte) wire.Stamp {
	h := identity.Hash(append(append(tag[:], identity.Uint32(day)...), request...))
	return wire.Stamp{Day: day, Nonce: [16]byte(h[:])}
}

// crash ends the daemon: the batch that is not committed, the connections and
// the jobs are lost.
func (m *machine) crash() {
	if !m.on {
		return
	}
	m.w.log("%v CRASH", m)
	m.w.truth.crashes++
	m.on, m.asleep, m.busy = false, false, false
	m.life++
	m.inbox, m.deferred = nil, nil
	clear(m.refs)
	m.peer = nil
	m.w.network.closeAll(m, false)
	m.spins = 0
}

// restart loads the Peer from the disk.
func (m *machine) restart() {
	if m.on || m.away {
		return
	}
	m.offset = m.w.between(-rotateSpread, rotateSpread)
	peer, err := protocol.Load(m.random, m.config(), m.disk.state())
	if err != nil {
		m.w.fail("%v: load: %v", m, err)
		return
	}
	m.w.log("%v starts", m)
	m.peer = peer
	m.start()
}

// sleep stops the machine's time; its connections break in silence.
func (m *machine) sleep(d time.Duration) {
	if !m.on || m.asleep {
		return
	}
	m.w.log("%v sleeps %v", m, d)
	m.asleep = true
	m.w.network.silence(m)
	life := m.life
	m.w.after(d, func() {
		if m.life == life {
			m.awake()
		}
	})
}

func (m *machine) awake() {
	if !m.on || !m.asleep {
		return
	}
	m.w.log("%v awakes", m)
	m.asleep = false
	deferred := m.deferred
	m.deferred = nil
	for _, run := range deferred {
		run()
	}
	m.w.network.closeAll(m, true)
	m.push(protocol.Reconnect{})
}

// setClock puts the machine's clock off by skew. The daemon notices the jump.
func (m *machine) setClock(skew time.Duration) {
	if skew == m.skew {
		return
	}
	m.w.log("%v clock off by %v", m, skew)
	m.w.truth.clockJumped(m, skew)
	m.skew = skew
	if m.on {
		m.after(m.w.between(0, 5*time.Second), func() { m.push(protocol.Reconnect{}) })
	}
}

func refOf(in protocol.Input) uint64 {
	switch in := in.(type) {
	case protocol.CreateInvite:
		return in.Ref
	case protocol.RevokeInvite:
		return in.Ref
	case protocol.AddContact:
		return in.Ref
	case protocol.AnswerRequest:
		return in.Ref
	case protocol.SetName:
		return in.Ref
	case protocol.SetAlias:
		return in.Ref
	case protocol.SetVerified:
		return in.Ref
	case protocol.SetBlocked:
		return in.Ref
	case protocol.RemoveContact:
		return in.Ref
	case protocol.SetTimer:
		return in.Ref
	case protocol.OpenConversation:
		return in.Ref
	case protocol.SendText:
		return in.Ref
	case protocol.MarkRead:
		return in.Ref
	case protocol.SetTyping:
		return in.Ref
	case protocol.SetPicture:
		return in.Ref
	case protocol.SetPresence:
		return in.Ref
	case protocol.TakeBack:
		return in.Ref
	case protocol.DeleteMessage:
		return in.Ref
	case protocol.DeleteForEveryone:
		return in.Ref
	case protocol.React:
		return in.Ref
	case protocol.EditMessage:
		return in.Ref
	case protocol.SetDeletions:
		return in.Ref
	case protocol.ExportBundle:
		return in.Ref
	case protocol.ImportBundle:
		return in.Ref
	case protocol.OfferHelp:
		return in.Ref
	case protocol.AcceptHelp:
		return in.Ref
	case protocol.EndHelp:
		return in.Ref
	}
	return 0
}

func personName(index, version int) string {
	return fmt.Sprintf("%s person %s%d", marker, letterOf(index), version)
}

// letterOf names a machine: by a letter as long as there are any.
func letterOf(index int) string {
	if index > 'Z'-'A' {
		return fmt.Sprintf("M%d-", index)
	}
	return string(rune('A' + index))
}
