package speech

// What is said about what was done with the profile, and about programs that do things.
const (
	NoAudit Key = "no_audit"
)

// englishAutomation is read only.
var englishAutomation = map[Key]string{
	NoAudit: "Nothing was noted yet.",

	"audit.unlocked":           "unlock",
	"audit.locked":             "lock",
	"audit.passphrase.changed": "change the passphrase",
	"audit.rotation.started":   "rotate the key",
	"audit.wipe.asked":         "wipe",
	"audit.session.confirmed":  "confirm as the owner",
	"audit.login.created":      "make a login link",
	"audit.session.started":    "log in",
	"audit.token.created":      "make a token",
	"audit.token.revoked":      "revoke a token",
	"audit.backup.made":        "make a backup",

	"actor.owner":   "you",
	"actor.session": "web page",
	"actor.token":   "token",
	"actor.daemon":  "by itself",
	"outcome.ok":    "done",
	"outcome.cut":   "cut off",

	"help.audit":          "show what was done with the profile, and by whom",
	"flag.audit --number": "how many entries, up to 200",
	"flag.audit --before": "entries before the one with this number",
}

// koreanAutomation is read only.
var koreanAutomation = map[Key]string{
	NoAudit: "아직 기록된 일이 없어요.",

	"audit.unlocked":           "잠금 풀기",
	"audit.locked":             "잠그기",
	"audit.passphrase.changed": "암호 바꾸기",
	"audit.rotation.started":   "열쇠 바꾸기",
	"audit.wipe.asked":         "모두 없애기",
	"audit.session.confirmed":  "주인 확인",
	"audit.login.created":      "로그인 링크 만들기",
	"audit.session.started":    "로그인",
	"audit.token.created":      "토큰 만들기",
	"audit.token.revoked":      "토큰 취소",
	"audit.backup.made":        "백업 만들기",

	"actor.owner":   "나",
	"actor.session": "웹 화면",
	"actor.token":   "토큰",
	"actor.daemon":  "저절로",
	"outcome.ok":    "됨",
	"outcome.cut":   "중간에 끊김",

	"help.audit":          "프로필에 무엇을 했고 누가 했는지 보여 줍니다",
	"flag.audit --number": "몇 개까지 볼지, 200까지",
	"flag.audit --before": "이 번호보다 앞의 것",
}
