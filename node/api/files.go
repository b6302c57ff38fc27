package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// File is a file here, or one that a contact has and that may come here.
type File struct {
	ID             string  `json:"id"`
	Name           string  `json:"name" doc:"as its sender calls it, without path, control and bidirectional characters"`
	MediaType      string  `json:"media_type" doc:"as its sender says"`
	Size           uint64  `json:"size"`
	State          string  `json:"state" enum:"uploading,remote,fetching,paused,available,failed" doc:"remote: it is large, and waits to be asked for"`
	Received       uint64  `json:"received" doc:"bytes that lie here"`
	Reason         *string `json:"reason" doc:"code, of one that failed"`
	Width          *uint32 `json:"width" doc:"of a picture, in pixels; as its sender says"`
	Height         *uint32 `json:"height"`
	DurationMS     *uint32 `json:"duration_ms" doc:"of a sound or video; as its sender says"`
	Voice          bool    `json:"voice" doc:"it is a voice note: it has a waveform"`
	Waveform       []byte  `json:"waveform,omitempty" doc:"loudness, a byte each, evenly spread"`
	Thumbnail      bool    `json:"thumbnail" doc:"GET /v1/files/{id}/thumbnail shows what it looks like, whatever its state; false of one that is part of no message"`
	CreatedAt      Time    `json:"created_at"`
	MessageID      *string `json:"message_id" doc:"of the last message that it is part of; null: of none, it goes after a day"`
	ConversationID *string `json:"conversation_id"`
	Direction      *string `json:"direction" enum:"in,out" doc:"of that message"`
}

// The states of a file.
const (
	FileUploading = "uploading"
	FileRemote    = "remote"
	FileFetching  = "fetching"
	FilePaused    = "paused"
	FileAvailable = "available"
	FileFailed    = "failed"
)

// Transfer is a file on its way, or one that waits for its turn.
type Transfer struct {
	FileID         string  `json:"file_id"`
	ContactID      string  `json:"contact_id"`
	ConversationID *string `json:"conversation_id"`
	Direction      string  `json:"direction" enum:"in,out"`
	State          string  `json:"state" enum:"active,waiting"`
	Reason         string  `json:"reason" doc:"what it waits for: no_path, no_direct, interrupted, busy, queued, storage_full; empty: it is under way"`
	Bytes          uint64  `json:"bytes"`
	Total          uint64  `json:"total"`
	Rate           uint64  `json:"rate" doc:"bytes a second since it began"`
	NextTryAt      *Time   `json:"next_try_at"`
}

// The states of a transfer.
const (
	TransferActive  = "active"
	TransferWaiting = "waiting"
)

// FileUpload says what is brought. Size must be known.
type FileUpload struct {
	Name      string
	MediaType string // empty: the daemon looks
	Size      int64
	// WithMetadata keeps what a file tells of its maker: place, device, author. Without it
	// that is removed from JPEG, PNG and GIF, and files of other types that may tell it are
	// refused.
	WithMetadata bool
	DurationMS   uint32 // of a sound or video; 0: not known
	Waveform     []byte // makes it a voice note
}

func (u *FileUpload) header() http.Header {
	h := http.Header{HeaderName: {url.PathEscape(u.Name)}, "Content-Type": {"application/octet-stream"}}
	if u.MediaType != "" {
		h.Set("Content-Type", u.MediaType)
	}
	if u.WithMetadata {
		h.Set(HeaderMetadata, MetadataKeep)
	}
	if u.DurationMS > 0 {
		h.Set(HeaderDuration, strconv.FormatUint(uint64(u.DurationMS), 10))
	}
	if len(u.Waveform) > 0 {
		h.Set(HeaderWaveform, fmt.Sprintf("%x", u.Waveform))
	}
	return h
}

// The headers of an upload. Names follow draft-ietf-httpbis-resumable-upload where it has
// them.
const (
	HeaderName           = "Pabal-Name"        // percent-encoded UTF-8
	HeaderMetadata       = "Pabal-Metadata"    // MetadataKeep; of the request that ends the upload
	HeaderDuration       = "Pabal-Duration-Ms" // of a sound or video
	HeaderWaveform       = "Pabal-Waveform"    // hexadecimal
	HeaderUploadLength   = "Upload-Length"
	HeaderUploadOffset   = "Upload-Offset"
	HeaderUploadComplete = "Upload-Complete" // ?0 or ?1

	MetadataKeep = "keep"
)

// UploadFile brings a file in one request; content is read to its end, which must come
// after Size bytes.
func (c *Client) UploadFile(ctx context.Context, u FileUpload, content io.Reader) (File, error) {
	var out File
	r := RawRequest{Method: http.MethodPost, Path: "/v1/files", Header: u.header(), Stream: content, StreamSize: u.Size}
	err := c.do(ctx, r, nil, &out)
	return out, err
}

// BeginUpload begins a file whose bytes follow with [Client.ContinueUpload].
func (c *Client) BeginUpload(ctx context.Context, u FileUpload) (File, error) {
	var out File
	h := u.header()
	h.Set(HeaderUploadLength, strconv.FormatInt(u.Size, 10))
	h.Set(HeaderUploadComplete, "?0")
	err := c.do(ctx, RawRequest{Method: http.MethodPost, Path: "/v1/files", Header: h}, nil, &out)
	return out, err
}

// ContinueUpload brings bytes from offset on, which must be what File.Received says; size of
// them are in content. The daemon keeps whole chunks of 1 MiB: after an error the upload goes
// on at File.Received.
func (c *Client) ContinueUpload(ctx context.Context, id string, offset int64, u FileUpload, content io.Reader, size int64) (File, error) {
	var out File
	h := u.header()
	h.Set(HeaderUploadOffset, strconv.FormatInt(offset, 10))
	r := RawRequest{Method: http.MethodPatch, Path: "/v1/files/" + seg(id), Header: h, Stream: content, StreamSize: size}
	err := c.do(ctx, r, nil, &out)
	return out, err
}

// File returns what is known of a file.
func (c *Client) File(ctx context.Context, id string) (File, error) {
	return fetch[File](ctx, c, "/v1/files/"+seg(id), nil)
}

// Files lists files, the newest first; of one conversation, unless that is empty.
func (c *Client) Files(ctx context.Context, conversation string, limit int) ([]File, error) {
	q := url.Values{}
	setInt(q, "limit", limit)
	if conversation != "" {
		q.Set("conversation", conversation)
	}
	return list[File](ctx, c, "/v1/files", q)
}

// DeleteFile erases a file that is part of no message.
func (c *Client) DeleteFile(ctx context.Context, id string) error {
	return c.delete(ctx, "/v1/files/"+seg(id), nil)
}

// FetchFile has a file of a contact fetched, also one that was paused or failed.
func (c *Client) FetchFile(ctx context.Context, id string) (File, error) {
	return c.fileAction(ctx, id, "fetch")
}

// PauseFile stops fetching a file and keeps what has come.
func (c *Client) PauseFile(ctx context.Context, id string) (File, error) {
	return c.fileAction(ctx, id, "pause")
}

// CancelFile stops fetching a file and erases what has come.
func (c *Client) CancelFile(ctx context.Context, id string) (File, error) {
	return c.fileAction(ctx, id, "cancel")
}

func (c *Client) fileAction(ctx context.Context, id, action string) (File, error) {
	var out File
	err := c.do(ctx, RawRequest{Method: http.MethodPost, Path: "/v1/files/" + seg(id) + "/" + action}, nil, &out)
	return out, err
}

// FileContent returns the bytes of a file from offset on. The caller must close it.
func (c *Client) FileContent(ctx context.Context, id string, offset int64) (io.ReadCloser, error) {
	r := RawRequest{Method: http.MethodGet, Path: "/v1/files/" + seg(id) + "/content"}
	if offset > 0 {
		r.Header = http.Header{"Range": {fmt.Sprintf("bytes=%d-", offset)}}
	}
	resp, err := c.Raw(ctx, r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		defer resp.Body.Close()
		body, err := io.ReadAll(io.LimitReader(resp.Body, responseBytesMax))
		if err != nil {
			return nil, fmt.Errorf("read response: %w", err)
		}
		return nil, responseProblem(resp, body)
	}
	return resp.Body, nil
}

// FileThumbnail returns the small JPEG that came with a file, which may not be here itself.
func (c *Client) FileThumbnail(ctx context.Context, id string) ([]byte, error) {
	resp, err := c.Raw(ctx, RawRequest{Method: http.MethodGet, Path: "/v1/files/" + seg(id) + "/thumbnail"})
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, responseBytesMax))
	if err != nil {
		return nil, fmt.Errorf("read response: %w", err)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return nil, responseProblem(resp, body)
	}
	return body, nil
}

// Transfers lists the files that are on their way or wait for that.
func (c *Client) Transfers(ctx context.Context) ([]Transfer, error) {
	return list[Transfer](ctx, c, "/v1/transfers", nil)
}
