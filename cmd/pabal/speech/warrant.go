package speech

// What is said of what would be obtained from whom.
const (
	WarrantHeading Key = "warrant_heading"
	WarrantSince   Key = "warrant_since"
	WarrantCount   Key = "warrant_count"
	WarrantSealed  Key = "warrant_sealed"
	WarrantFresh   Key = "warrant_fresh"
	WarrantNothing Key = "warrant_nothing"
	DeviceOf       Key = "device_of"
)

// englishWarrant is read only.
var englishWarrant = map[Key]string{
	WarrantHeading: "What would be obtained, as things are now: from whom, how much, under which key, and what. Of other machines only what was given to them is counted; what they kept or copied only they know. Of notifications the most that was ever set counts.",
	WarrantSince:   "New is what came since {0} and is still here; what was deleted meanwhile is in no count.",
	WarrantCount:   "{0#message or notice/messages and notices}, the oldest of {1}",
	WarrantSealed:  "{0} sealed items",
	WarrantFresh:   "{0} new",
	WarrantNothing: "nothing",
	DeviceOf:       "the device of {0}",

	"target.machine_locked":   "this machine, locked or off",
	"target.machine_unlocked": "this machine, unlocked",
	"target.contact":          "the device of",
	"target.courier":          "courier",
	"target.contact_couriers": "couriers of contacts",
	"target.network":          "the network's operator",
	"target.notifications":    "notifications of the system",
	"target.token":            "the program with the token",
	"target.webhooks":         "webhooks",
	"key.none":                "no key",
	"key.passphrase":          "your passphrase",
	"key.keyfile":             "no passphrase: the key lies beside it",
	"key.theirs":              "theirs, not known here",
	"key.devices":             "keys of the two devices only",
	"obtains.texts":           "texts",
	"obtains.files":           "files",
	"obtains.names":           "names",
	"obtains.contacts":        "who your contacts are",
	"obtains.drafts":          "drafts",
	"obtains.held_mail":       "sealed mail of others",
	"obtains.addresses":       "IP addresses",
	"obtains.times":           "times",
	"obtains.sizes":           "sizes",
	"obtains.sealed_mail":     "sealed mail",

	"help.warrant": "say what would be obtained from whom, as things are now",
	"flag.--diff":  "also count what came in this time, as in 7d",
}

// koreanWarrant is read only.
var koreanWarrant = map[Key]string{
	WarrantHeading: "지금 상태로 누구에게서 무엇이 얼마나, 어떤 열쇠 아래 나오는지예요. 다른 기기는 그쪽에 준 것만 세요. 거기서 보관하거나 복사한 것은 그쪽만 알아요. 알림은 지금까지 가장 많이 보이게 한 설정대로 세요.",
	WarrantSince:   "새것은 {0}부터 와서 아직 여기 있는 것이에요. 그사이 지운 것은 세지 않아요.",
	WarrantCount:   "메시지와 알림 줄 {0}개, 가장 오래된 것은 {1}",
	WarrantSealed:  "봉인된 것 {0}개",
	WarrantFresh:   "새것 {0}개",
	WarrantNothing: "없음",
	DeviceOf:       "{0}의 기기",

	"target.machine_locked":   "잠겼거나 꺼진 이 컴퓨터",
	"target.machine_unlocked": "열려 있는 이 컴퓨터",
	"target.contact":          "상대의 기기",
	"target.courier":          "전달자",
	"target.contact_couriers": "연락처들의 전달자",
	"target.network":          "네트워크 운영자",
	"target.notifications":    "시스템 알림",
	"target.token":            "토큰을 가진 프로그램",
	"target.webhooks":         "웹훅",
	"key.none":                "열쇠 없음",
	"key.passphrase":          "내 암호",
	"key.keyfile":             "암호 없음: 열쇠가 옆에 있음",
	"key.theirs":              "그쪽 것, 여기서는 모름",
	"key.devices":             "두 기기에만 있는 열쇠",
	"obtains.texts":           "글",
	"obtains.files":           "파일",
	"obtains.names":           "이름",
	"obtains.contacts":        "누가 연락처인지",
	"obtains.drafts":          "쓰다 만 글",
	"obtains.held_mail":       "남의 봉인된 편지",
	"obtains.addresses":       "IP 주소",
	"obtains.times":           "시각",
	"obtains.sizes":           "크기",
	"obtains.sealed_mail":     "봉인된 편지",

	"help.warrant": "지금 상태로 누구에게서 무엇이 나오는지 알려 줍니다",
	"flag.--diff":  "이 기간에 온 것도 따로 셉니다, 예: 7d",
}
