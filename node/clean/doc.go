// Package clean removes from pictures what they tell of their maker: place, time, device,
// author. What is seen of them stays as it was, bit for bit; nothing is decoded, so that a
// picture that expands to gigabytes costs no more than its bytes.
//
// [Look] says what a file is by its bytes. JPEG, PNG and GIF can be cleaned by [Clean];
// [Telling] types carry such things where this package cannot remove them. All that reads
// these formats is here.
package clean
