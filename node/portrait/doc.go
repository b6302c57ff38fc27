// Package portrait makes small pictures of large ones: those by which people see each other, and
// those by which a picture is seen before it has come.
//
// [Make] and [Thumbnail] read a JPEG, PNG or GIF within limits, turn it as it says, take the
// square in its middle or the whole, and encode that anew: nothing else of the picture, and
// nothing that it tells of its maker, is in the result. What would need more memory than
// [DecodedBytesMax] is refused before any of it is decoded.
package portrait
