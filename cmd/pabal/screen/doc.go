// Package screen makes what other people wrote fit to print on a terminal, and
// draws QR codes there.
//
// Names and texts come from peers: [Line] keeps them on one line and shows
// control, bidirectional and invisible characters as escapes, so that no text
// can move the cursor, hide or reorder what stands around it. [QR] draws a link
// with half blocks.
package screen
