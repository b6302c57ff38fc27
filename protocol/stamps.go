package protocol

import (
	"time"

	"pabal/protocol/invite"
	"pabal/protocol/wire"
)

// pendingJob is what waits for the result of a stamp's job.
type pendingJob struct {
	contact ContactID // whose request gets a stamp, or
	invite  InviteID  // whose card was asked,
	from    arrival   // how it came,
	request []byte    // with which request
}

// askStamp has the stamp of a request to a card made, unless that is under way.
func (p *Peer) askStamp(now time.Time, c *contact) {
	for _, j := range p.jobs {
		if j.contact == c.row.ID {
			return // it is being made
		}
	}
	a := c.state.Asking
	a.Stamped = false
	job := p.number()
	p.jobs[job] = pendingJob{contact: c.row.ID}
	p.out.Jobs = append(p.out.Jobs, MakeStamp{
		Job: job, Tag: invite.RequestTag(a.Link.Secret), Day: dayOf(now),
		Request: a.Request.Request, Bits: a.Link.StampBits,
	})
}

func (p *Peer) stampMade(now time.Time, in StampMade) error {
	job, ok := p.jobs[in.Job]
	delete(p.jobs, in.Job)
	c := p.contacts[job.contact]
	if !ok || c == nil || c.state.Asking == nil || c.state.Asking.Request == nil {
		return nil
	}
	if !in.OK {
		return nil // the next connection has one made
	}
	c.state.Asking.Stamp, c.state.Asking.Stamped = in.Stamp, true
	p.touchContact(c)
	if k := c.live(); k != nil {
		p.ask(now, c, k)
	} else {
		p.askByCourier(now, c)
	}
	return nil
}

// checking reports whether a stamp is being checked.
func (p *Peer) checking() bool {
	for _, j := range p.jobs {
		if j.request != nil {
			return true
		}
	}
	return false
}

// askStampCheck has the stamp of a request to a card of ours checked, one at a
// time and before anything is stored. A request that comes meanwhile is not taken: it
// comes again at the next connection, or is collected from the courier when there is room.
func (p *Peer) askStampCheck(now time.Time, from arrival, v *invitation, d *wire.DepositedRequest) {
	if p.checking() {
		return
	}
	today := dayOf(now)
	if from.courier != nil && d.Stamp.Day < today && d.Stamp.Day+wire.CourierDaysMax >= today {
		today = d.Stamp.Day // it was made when the request was left
	}
	job := p.number()
	p.jobs[job] = pendingJob{invite: v.row.ID, from: from, request: d.Request[:]}
	p.out.Jobs = append(p.out.Jobs, CheckStamp{
		Job: job, Stamp: d.Stamp, Tag: v.state.Tag, Today: today,
		Request: d.Request[:], Bits: v.state.Offer.StampBits,
	})
}

// stampChecked takes a request whose stamp is right. A courier keeps it until then.
func (p *Peer) stampChecked(now time.Time, in StampChecked) error {
	job, ok := p.jobs[in.Job]
	delete(p.jobs, in.Job)
	p.roomDue = true
	v := p.invites[job.invite]
	if k := job.from.conn; ok && !in.OK && k != nil && p.conns[k.id] == k { // it costs us more than its sender
		p.hangup(k)
	}
	if ok && in.OK && v != nil && v.open(now) {
		if p.full(v) {
			return nil
		}
		if err := p.openRequest(now, job.from, v, job.request); err != nil {
			return err
		}
	}
	if k := job.from.courier; ok && k != nil && p.conns[k.id] == k {
		p.say(k, job.from.received)
	}
	return nil
}
