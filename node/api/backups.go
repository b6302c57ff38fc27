package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
)

// BackupRequest asks for a backup of the profile.
type BackupRequest struct {
	Passphrase string `json:"passphrase" minLength:"8" maxLength:"1024" doc:"of the backup: it opens nothing else"`
	Messages   bool   `json:"messages,omitempty" doc:"the messages and their files, too"`
}

// RestoreRequest is the part "options" of POST /v1/setup/restore; the part "archive" behind
// it is the backup. Without NewPassphrase and Keyfile the profile is sealed under the backup's
// passphrase.
type RestoreRequest struct {
	Passphrase    string `json:"passphrase" minLength:"1" maxLength:"1024" doc:"of the backup"`
	NewPassphrase string `json:"new_passphrase,omitempty" doc:"of the profile, 8 to 1024 bytes"`
	Keyfile       bool   `json:"keyfile,omitempty" doc:"true: no passphrase; whoever has the disk reads everything"`
}

// RestoreResponse answers POST /v1/setup/restore.
type RestoreResponse struct {
	Self     Self `json:"self"`
	MadeAt   Time `json:"made_at" format:"date-time" doc:"when the backup was made"`
	Contacts int  `json:"contacts"`
	Messages int  `json:"messages"`
}

// BackupType is the media type of a backup.
const BackupType = "application/octet-stream"

// The parts of the body of POST /v1/setup/restore, in this order.
const (
	RestoreOptionsPart = "options"
	RestoreArchivePart = "archive"
)

// Backup writes a backup of the profile to w. What was written is of no use if it fails.
func (c *Client) Backup(ctx context.Context, in BackupRequest, w io.Writer) error {
	return c.download(ctx, "/v1/backups", in, w)
}

// Restore makes the profile that is in a backup, in a daemon that has none.
func (c *Client) Restore(ctx context.Context, in RestoreRequest, archive io.Reader) (RestoreResponse, error) {
	options, err := json.Marshal(in)
	if err != nil {
		return RestoreResponse{}, fmt.Errorf("encode request: %w", err)
	}
	var front bytes.Buffer
	form := multipart.NewWriter(&front)
	part := func(name, kind string) (io.Writer, error) {
		return form.CreatePart(textproto.MIMEHeader{
			"Content-Disposition": {`form-data; name="` + name + `"`}, "Content-Type": {kind},
		})
	}
	w, err := part(RestoreOptionsPart, "application/json")
	if err == nil {
		_, err = w.Write(options)
	}
	if err == nil {
		_, err = part(RestoreArchivePart, BackupType)
	}
	if err != nil {
		return RestoreResponse{}, fmt.Errorf("encode request: %w", err)
	}
	end := "\r\n--" + form.Boundary() + "--\r\n"
	body := io.MultiReader(&front, archive, bytes.NewReader([]byte(end)))
	var out RestoreResponse
	r := RawRequest{
		Method: http.MethodPost, Path: "/v1/setup/restore", Stream: body, StreamSize: -1, Header: http.Header{"Content-Type": {form.FormDataContentType()}},
	}
	err = c.do(ctx, r, nil, &out)
	return out, err
}
