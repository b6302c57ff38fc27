// Package speech is what the command line says to a person, in Korean and in
// English.
//
// Every sentence has a [Key] and stands in both catalogues; a test fails when
// one of them lacks a key or names other placeholders. [Text] fills a sentence:
//
//	speech.Text(speech.Korean, speech.ContactEstablished, "민수")
//
// A placeholder is {0}, {1}, …; in Korean it may carry a pair of particles, as
// in {0|이/가}, and the one that fits the end of the word is chosen by
// [Particle]; {0~이/가} is the particle alone. [MatchInitials] finds names by their initial consonants, so that
// ㅁㄴ finds 미나.
//
// JSON output and problem codes are never translated; they do not pass here.
// The words are those of the product: 연락처, 초대 링크, 안전 번호, 대화,
// 보낼 편지함, 대기 중, 맡겨 둠, 전달됨, 읽음.
package speech
