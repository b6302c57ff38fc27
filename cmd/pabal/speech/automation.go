package speech

// What is said about what was done with the profile, and about programs that do things.
const (
	NoAudit           Key = "no_audit"
	ExportStays       Key = "export_stays"
	NoApprovals       Key = "no_approvals"
	NoPairings        Key = "no_pairings"
	PairingApproved   Key = "pairing_approved"
	PairingDenied     Key = "pairing_denied"
	PairingNeedsScope Key = "pairing_needs_scope"
	ApprovalApproved  Key = "approval_approved"
	ApprovalRefused   Key = "approval_refused"
	NoWebhooks        Key = "no_webhooks"
	WebhookShown      Key = "webhook_shown"
	WebhookEnabled    Key = "webhook_enabled"
	WebhookDeleted    Key = "webhook_deleted"
)

// englishAutomation is read only.
var englishAutomation = map[Key]string{
	NoAudit:           "Nothing was noted yet.",
	ExportStays:       "The file is yours to keep and to erase: deleting messages, timers and wiping the profile do not reach it, and it is not encrypted.",
	NoPairings:        "No program asks for a token.",
	PairingApproved:   "The program gets its token when it looks next.",
	PairingDenied:     "Denied. The program gets no token.",
	PairingNeedsScope: "--scope names no right; without it the program gets all that it asked for",
	NoApprovals:       "Nothing waits for you.",
	ApprovalApproved:  "Approved: it is sent as anything that you write yourself.",
	ApprovalRefused:   "Refused: it is erased, and nobody gets it.",
	NoWebhooks:        "There are no webhooks.",
	WebhookShown:      "This secret signs what is sent and is shown once. Whatever listens on that port is told; what it keeps is outside of deletion's reach.",
	WebhookEnabled:    "It is tried again.",
	WebhookDeleted:    "It is told of nothing any more. What it was told it may have kept.",

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

	"audit.export.made":         "export a conversation",
	"copy.export":               "an export",
	"target.exports":            "exports",
	"audit.approval.approved":   "approve a message",
	"audit.approval.refused":    "refuse a message",
	"problem.approval_required": "the messages of this token wait for the owner, and this cannot wait",
	"state.held":                "held",
	"audit.webhook.created":     "make a webhook",
	"audit.webhook.enabled":     "enable a webhook",
	"audit.webhook.disabled":    "disable a webhook",
	"audit.webhook.deleted":     "delete a webhook",
	"copy.webhook":              "a webhook",
	"problem.foreign_address":   "a webhook can only be on this machine: 127.0.0.1, [::1] or localhost",
	"webhook.active":            "active",
	"webhook.failing":           "failing",
	"webhook.disabled":          "disabled",

	"actor.owner":   "you",
	"actor.session": "web page",
	"actor.token":   "token",
	"actor.daemon":  "by itself",
	"outcome.ok":    "done",
	"outcome.cut":   "cut off",

	"help.export":                     "write a conversation to a file that other programs read",
	"flag.export --format":            "text or jsonl",
	"help.pairing":                    "decide about programs that ask for a token",
	"help.pairing list":               "list the programs that ask",
	"help.pairing approve":            "let one have a token, with the code that it shows",
	"help.pairing deny":               "let one have none",
	"flag.pairing approve --scope":    "only these of the rights that it asked for; several with commas",
	"flag.pairing approve --approval": "its messages wait until you approve them; whatever else others would notice is refused",
	"help.approvals":                  "decide about messages of programs that wait for you",
	"help.approvals list":             "list what waits for you",
	"help.approvals approve":          "send one",
	"help.approvals refuse":           "erase one",
	"flag.token create --approval":    "its messages wait until you approve them; whatever else others would notice is refused",
	"help.webhook":                    "have programs on this machine told of events",
	"help.webhook create":             "have a program on this machine told of events from now on",
	"help.webhook list":               "list the webhooks, and how they go",
	"help.webhook enable":             "try one again that fails or is disabled",
	"help.webhook delete":             "end one",
	"flag.webhook create --chat":      "only these conversations; may be repeated",
	"flag.webhook create --types":     "types of events, or families like message.*",
	"help.audit":                      "show what was done with the profile, and by whom",
	"flag.audit --number":             "how many entries, up to 200",
	"flag.audit --before":             "entries before the one with this number",
}

// koreanAutomation is read only.
var koreanAutomation = map[Key]string{
	NoAudit:           "아직 기록된 일이 없어요.",
	ExportStays:       "이 파일은 직접 간수하고 지워야 해요. 메시지를 지우거나, 타이머가 다 되거나, 프로필을 없애도 이 파일은 남고, 암호화되어 있지 않아요.",
	NoPairings:        "토큰을 달라는 프로그램이 없어요.",
	PairingApproved:   "프로그램이 다음에 물어볼 때 토큰을 받아요.",
	PairingDenied:     "거절했어요. 프로그램은 토큰을 받지 못해요.",
	PairingNeedsScope: "--scope에 권한이 없어요. --scope를 빼면 프로그램이 달라는 권한을 모두 줘요",
	NoApprovals:       "허락을 기다리는 것이 없어요.",
	ApprovalApproved:  "허락했어요. 직접 쓴 글처럼 보내요.",
	ApprovalRefused:   "거절했어요. 지워졌고 아무도 받지 않아요.",
	NoWebhooks:        "웹훅이 없어요.",
	WebhookShown:      "보내는 것에 서명하는 비밀 값이고, 지금 한 번만 보여요. 그 포트에서 듣는 프로그램은 무엇이든 받아요. 거기 남은 것은 지워지지 않아요.",
	WebhookEnabled:    "다시 보내 봐요.",
	WebhookDeleted:    "이제 아무것도 보내지 않아요. 이미 받은 것은 그쪽에 남아 있을 수 있어요.",

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

	"audit.export.made":         "대화 내보내기",
	"copy.export":               "내보낸 파일",
	"target.exports":            "내보낸 파일",
	"audit.approval.approved":   "메시지 허락",
	"audit.approval.refused":    "메시지 거절",
	"problem.approval_required": "이 토큰의 메시지는 주인의 허락을 기다리는데, 이 일은 기다릴 수 없어요",
	"state.held":                "허락 전",
	"audit.webhook.created":     "웹훅 만들기",
	"audit.webhook.enabled":     "웹훅 다시 켜기",
	"audit.webhook.disabled":    "웹훅 끄기",
	"audit.webhook.deleted":     "웹훅 지우기",
	"copy.webhook":              "웹훅",
	"problem.foreign_address":   "웹훅은 이 컴퓨터에만 둘 수 있어요: 127.0.0.1, [::1], localhost",
	"webhook.active":            "작동 중",
	"webhook.failing":           "실패하는 중",
	"webhook.disabled":          "꺼짐",

	"actor.owner":   "나",
	"actor.session": "웹 화면",
	"actor.token":   "토큰",
	"actor.daemon":  "저절로",
	"outcome.ok":    "됨",
	"outcome.cut":   "중간에 끊김",

	"help.export":                     "대화를 다른 프로그램이 읽는 파일로 씁니다",
	"flag.export --format":            "text 또는 jsonl",
	"help.pairing":                    "토큰을 달라는 프로그램을 정합니다",
	"help.pairing list":               "토큰을 달라는 프로그램을 보여 줍니다",
	"help.pairing approve":            "프로그램이 보여 주는 코드로 토큰을 줍니다",
	"help.pairing deny":               "토큰을 주지 않습니다",
	"flag.pairing approve --scope":    "달라는 권한 가운데 이것만. 쉼표로 여러 개",
	"flag.pairing approve --approval": "메시지가 내 허락을 기다리고, 남이 알아챌 다른 일은 거절됩니다",
	"help.approvals":                  "허락을 기다리는 프로그램의 메시지를 정합니다",
	"help.approvals list":             "허락을 기다리는 것을 보여 줍니다",
	"help.approvals approve":          "하나를 보냅니다",
	"help.approvals refuse":           "하나를 지웁니다",
	"flag.token create --approval":    "메시지가 내 허락을 기다리고, 남이 알아챌 다른 일은 거절됩니다",
	"help.webhook":                    "이 컴퓨터의 프로그램에 이벤트를 알립니다",
	"help.webhook create":             "이제부터 이벤트를 받을 프로그램을 정합니다",
	"help.webhook list":               "웹훅과 그 상태를 보여 줍니다",
	"help.webhook enable":             "실패하거나 꺼진 것을 다시 해 봅니다",
	"help.webhook delete":             "웹훅을 끝냅니다",
	"flag.webhook create --chat":      "이 대화만. 여러 번 쓸 수 있음",
	"flag.webhook create --types":     "이벤트 종류, 또는 message.* 같은 묶음",
	"help.audit":                      "프로필에 무엇을 했고 누가 했는지 보여 줍니다",
	"flag.audit --number":             "몇 개까지 볼지, 200까지",
	"flag.audit --before":             "이 번호보다 앞의 것",
}
