package httpd

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"rsc.io/qr"

	"pabal/node/api"
	"pabal/protocol"
	"pabal/protocol/identity"
)

const svgType = "image/svg+xml"

// self reads the account.
func (s *Server) self(ctx context.Context) (api.Self, error) {
	id, err := s.daemon.Identity(ctx)
	if err != nil {
		return api.Self{}, err
	}
	out := api.Self{AccountID: accountID(id.Account), Devices: notNil(id.Devices)}
	err = s.view(s.owner, func(r *reader) (err error) {
		if out.DisplayName, err = r.ownName(); err != nil {
			return err
		}
		out.Picture, err = r.pictureView(protocol.ContactID{})
		return err
	})
	if requestOf(ctx).actor.redacted() {
		out.DisplayName, out.Picture = "", nil
	}
	return out, err
}

// accountGroups returns an account's half of every safety number: six groups of
// five digits. It is the first or the last half, by the order of the accounts.
func accountGroups(account identity.AccountPublic) []string {
	return strings.Fields(identity.NewFingerprint(account, account).String())[:6]
}

// accountID names an account in short: two groups of its half.
func accountID(account identity.AccountPublic) string {
	return strings.Join(accountGroups(account)[:2], "")
}

func (s *Server) getSelf(ctx context.Context, _ *none) (*reply[api.Self], error) {
	out, err := s.self(ctx)
	return ok(0, out), err
}

type selfInput struct{ Body api.SelfPatch }

func (s *Server) patchSelf(ctx context.Context, in *selfInput) (*reply[api.Self], error) {
	if in.Body.DisplayName != nil {
		if err := checkName("/display_name", *in.Body.DisplayName); err != nil {
			return nil, err
		}
		_, err := s.daemon.Submit(ctx, func(ref uint64) protocol.Input {
			return protocol.SetName{Ref: ref, Name: *in.Body.DisplayName}
		}, nil)
		if err != nil {
			return nil, err
		}
	}
	return s.getSelf(ctx, nil)
}

func (s *Server) selfFingerprint(ctx context.Context, _ *none) (*reply[api.SelfFingerprint], error) {
	id, err := s.daemon.Identity(ctx)
	if err != nil {
		return nil, err
	}
	return ok(0, api.SelfFingerprint{Groups: accountGroups(id.Account)}), nil
}

func (s *Server) selfQR(w http.ResponseWriter, r *http.Request) {
	id, err := s.daemon.Identity(r.Context())
	if err != nil {
		s.answerError(w, r, err)
		return
	}
	s.answerQR(w, r, accountQRPrefix+strings.Join(accountGroups(id.Account), ""))
}

// The beginnings of what QR codes for comparing hold.
const (
	accountQRPrefix = "pabal:f1#"
	safetyQRPrefix  = "pabal:v1#"
)

// answerError refuses a request of a raw handler.
func (s *Server) answerError(w http.ResponseWriter, r *http.Request, err error) {
	var refused refusal
	if !errors.As(s.refusal(r.Context(), err), &refused) {
		panic("httpd: refusal of another type")
	}
	s.refuse(w.(*response), requestOf(r.Context()), refused.Problem)
}

// answerQR draws a text as a QR code.
func (s *Server) answerQR(w http.ResponseWriter, r *http.Request, text string) {
	svg, err := qrSVG(text)
	if err != nil {
		s.answerError(w, r, err)
		return
	}
	w.Header().Set("Content-Type", svgType)
	w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
	w.Write(svg)
}

const qrQuiet = 4 // modules of white around the code, which scanners need

// qrSVG draws a QR code as one black path on white.
func qrSVG(text string) ([]byte, error) {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return nil, fmt.Errorf("draw QR code: %w", err)
	}
	var b strings.Builder
	size := code.Size + 2*qrQuiet
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" shape-rendering="crispEdges">`, size, size)
	fmt.Fprintf(&b, `<path fill="#fff" d="M0 0h%dv%dH0z"/><path d="`, size, size)
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			run := 0
			for x+run < code.Size && code.Black(x+run, y) {
				run++
			}
			if run > 0 {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", x+qrQuiet, y+qrQuiet, run, run)
				x += run
			}
		}
	}
	b.WriteString(`"/></svg>`)
	return []byte(b.String()), nil
}

// readContact finds a contact by the id of a path, for an operation on it.
func (s *Server) readContact(ctx context.Context, id string) (*protocol.PutContact, error) {
	var out *protocol.PutContact
	err := s.read(ctx, func(r *reader) (err error) {
		out, err = r.resolve(id)
		return err
	})
	return out, err
}
