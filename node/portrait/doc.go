// Package portrait makes of any picture the small square one by which people see each other.
//
// [Make] reads a JPEG, PNG or GIF within limits, turns it as it says, takes the square in its
// middle and encodes that anew: nothing else of the picture, and nothing that it tells of its
// maker, is in the result. What would need more memory than [DecodedBytesMax] is refused
// before any of it is decoded.
package portrait
