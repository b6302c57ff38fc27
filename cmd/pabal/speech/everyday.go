package speech

// What is said about finding and ordering messages and conversations.
const (
	NothingFound  Key = "nothing_found"
	SearchPartial Key = "search_partial"
	SearchMore    Key = "search_more"
	KindWrong     Key = "kind_wrong"

	ChatMuted        Key = "chat_muted"
	ChatUnmuted      Key = "chat_unmuted"
	ChatArchived     Key = "chat_archived"
	ChatUnarchived   Key = "chat_unarchived"
	ChatPinned       Key = "chat_pinned"
	ChatUnpinned     Key = "chat_unpinned"
	ChatMarkedUnread Key = "chat_marked_unread"
	NoDraft          Key = "no_draft"
	NothingMarked    Key = "nothing_marked"
	MessageStarred   Key = "message_starred"
	MessageUnstarred Key = "message_unstarred"
	MessagePinned    Key = "message_pinned"
	MessageUnpinned  Key = "message_unpinned"
	Reacted          Key = "reacted"
	Unreacted        Key = "unreacted"
	ForwardedItem    Key = "forwarded_item"
	MentionsYou      Key = "mentions_you"
	NobodyMentioned  Key = "nobody_mentioned"
	ReceiptsOn       Key = "receipts_on"
	ReceiptsOff      Key = "receipts_off"
	LabelReceipts    Key = "label.receipts"
	TypingOn         Key = "typing_on"
	TypingOff        Key = "typing_off"
	LabelTyping      Key = "label.typing"
	PresenceOn       Key = "presence_on"
	PresenceOff      Key = "presence_off"
	LabelPresence    Key = "label.presence"
	Writes           Key = "writes"
	IsHere           Key = "is_here"
	PictureSet       Key = "picture_set"
	PictureCleared   Key = "picture_cleared"
	PictureOrClear   Key = "picture_or_clear"
	LinkOrPicture    Key = "link_or_picture"
	PageOrDirectory  Key = "page_or_directory"
	LabelPicture     Key = "label.picture"
	LabelFlags       Key = "label.flags"
	FlagPinned       Key = "flag_pinned"
	FlagMuted        Key = "flag_muted"
	FlagArchived     Key = "flag_archived"
	FlagDraft        Key = "flag_draft"
)

// englishEveryday is read only.
var englishEveryday = map[Key]string{
	NothingFound:  "Nothing was found.",
	SearchPartial: "Not everything was looked at: older messages wait for the index, or only the first words of older long ones were. Try again in a moment, or look in one conversation.",
	SearchMore:    "There is more: -n {0} shows it, or narrow it with --in, --from, --since, --until.",
	KindWrong:     "--kind takes {0}",

	ChatMuted:        "Muted: {0}. Frontends stay quiet; the messages come as before.",
	ChatUnmuted:      "No longer muted: {0}.",
	ChatArchived:     "Archived: {0}. pabal chat list --archived shows it; a new message does not bring it back.",
	ChatUnarchived:   "No longer archived: {0}.",
	ChatPinned:       "Pinned: {0}.",
	ChatUnpinned:     "No longer pinned: {0}.",
	ChatMarkedUnread: "Marked as unread: {0}.",
	NoDraft:          "There is no draft.",
	NothingMarked:    "No message is marked so.",
	MessageStarred:   "Starred, for yourself.",
	MessageUnstarred: "No longer starred.",
	MessagePinned:    "Pinned, for yourself.",
	MessageUnpinned:  "No longer pinned.",
	Reacted:          "Put on the message, for both of you: {0}.",
	Unreacted:        "Taken off the message: {0}.",
	ForwardedItem:    "[forwarded]",
	MentionsYou:      "[to you]",
	NobodyMentioned:  "--mention finds no @ with a name of one of you in the text",
	ReceiptsOn:       "From now on {0} sees up to where you have read.",
	ReceiptsOff:      "From now on {0} does not see what you read. What they know already they know.",
	LabelReceipts:    "they see what you read",
	TypingOn:         "From now on {0} sees when you write to them, while both of you are on.",
	TypingOff:        "From now on {0} does not see when you write to them.",
	LabelTyping:      "they see you writing",
	PresenceOn:       "From now on {0} sees when you are here, while both of you are on.",
	PresenceOff:      "From now on {0} does not see when you are here.",
	LabelPresence:    "they see you here",
	Writes:           "writing…",
	IsHere:           "here",
	PictureSet:       "Your picture is set: the square in its middle, small, without what it told of its maker. Contacts get it when you are both on.",
	PictureCleared:   "You have no picture any more. Contacts hear it when you are both on; what they have seen they may have kept.",
	PictureOrClear:   "a file, or --clear, not both",
	PageOrDirectory:  "a command, or --dir for the pages of all",
	LinkOrPicture:    "a link, or --scan and a picture of its QR code",
	LabelPicture:     "picture",
	LabelFlags:       "for yourself",
	FlagPinned:       "pinned",
	FlagMuted:        "muted",
	FlagArchived:     "archived",
	FlagDraft:        "draft",

	"problem.nothing_to_search": "there is no letter or digit to search for",

	"help.search":          "find messages by their words, and contacts by their names",
	"flag.--in":            "only in this conversation",
	"flag.--from":          "only what this contact wrote, or self",
	"flag.search --kind":   "text for messages only, contact for contacts only",
	"flag.search --since":  "not older than this: a time, a date or 24h",
	"flag.search --until":  "older than this: a time, a date or 24h",
	"flag.search --number": "how many messages at most, the newest first",

	"help.chat mute":          "have frontends stay quiet about a conversation",
	"help.chat archive":       "put a conversation out of the way",
	"help.chat pin":           "have a conversation before the others",
	"help.chat mark-unread":   "mark a conversation as unread until it is read again",
	"help.chat draft":         "show, keep or erase what is begun to be written",
	"flag.--mention":          "have each @ with a name, of the contact or your own, name that person",
	"help.forward":            "send what a message says, and its files, to others; not from whom it is",
	"help.contact receipts":   "have a contact see up to where you have read; at first nobody does",
	"help.contact typing":     "have a contact see when you write to them; at first nobody does",
	"help.contact presence":   "have a contact see when you are here; at first nobody does",
	"help.chat typing":        "say that you write in a conversation, to a contact that may know; it ends after 6 seconds",
	"help.me picture":         "set the picture that your contacts see, or print it",
	"flag.me picture --clear": "have no picture any more",
	"help.contact picture":    "print a contact's picture, a JPEG",
	"help.me here":            "say that you are here, to the contacts that may know; it ends after two minutes and a half",
	"flag.--for":              "say it again and again for so long, as in 20s or 8h, and then that it has ended",
	"flag.chat typing --off":  "say that it has ended",
	"flag.me here --off":      "say that you have gone",
	"help.react":              "put an emoji on a message, or take it back",
	"flag.react --remove":     "take it back",
	"help.star":               "star a message, for yourself",
	"help.star list":          "list starred messages, the newest first",
	"help.pin":                "pin a message, for yourself",
	"help.pin list":           "list pinned messages, the newest first",
	"flag.--off":              "take it back",
	"flag.chat draft --off":   "erase it",
	"flag.chat mute --for":    "how long, as in 8h or 1w; else until it is taken back",
	"flag.--archived":         "those that are archived instead",
	"flag.star list --number": "how many at most",
	"flag.pin list --number":  "how many at most",
}

// koreanEveryday is read only.
var koreanEveryday = map[Key]string{
	NothingFound:  "찾은 것이 없어요.",
	SearchPartial: "다 찾아보지는 못했어요. 더 오래된 메시지는 색인을 만드는 중이거나, 긴 글은 앞부분만 찾아봤어요. 잠시 뒤에 다시 하거나 대화 하나에서 찾아보세요.",
	SearchMore:    "더 있어요. -n {0}처럼 더 많이 보거나 --in, --from, --since, --until로 좁히세요.",
	KindWrong:     "--kind에는 {0} 가운데 하나를 쓰세요",

	ChatMuted:        "{0}: 알림을 껐어요. 메시지는 그대로 와요.",
	ChatUnmuted:      "{0}: 알림을 다시 켰어요.",
	ChatArchived:     "{0}: 보관했어요. pabal chat list --archived로 볼 수 있고, 새 메시지가 와도 보관된 채로 있어요.",
	ChatUnarchived:   "{0}: 보관을 풀었어요.",
	ChatPinned:       "{0}: 위에 고정했어요.",
	ChatUnpinned:     "{0}: 고정을 풀었어요.",
	ChatMarkedUnread: "{0}: 안 읽음으로 표시했어요.",
	NoDraft:          "쓰다 만 글이 없어요.",
	NothingMarked:    "그렇게 표시한 메시지가 없어요.",
	MessageStarred:   "별표를 했어요. 나만 볼 수 있어요.",
	MessageUnstarred: "별표를 지웠어요.",
	MessagePinned:    "고정했어요. 나만 볼 수 있어요.",
	MessageUnpinned:  "고정을 풀었어요.",
	Reacted:          "메시지에 달았어요. 두 사람 모두에게 보여요: {0}",
	Unreacted:        "메시지에서 뗐어요: {0}",
	ForwardedItem:    "[전달된 메시지]",
	MentionsYou:      "[나를 부름]",
	NobodyMentioned:  "--mention: 글에 @와 두 사람 중 한 사람의 이름이 없어요",
	ReceiptsOn:       "이제부터 어디까지 읽었는지 상대가 봐요: {0}",
	ReceiptsOff:      "이제부터 어디까지 읽었는지 상대가 못 봐요: {0}. 이미 알려진 것은 그대로예요.",
	LabelReceipts:    "읽음 알림",
	TypingOn:         "이제부터 내가 쓰는 중일 때 상대가 봐요. 둘 다 켜져 있을 때만이에요: {0}",
	TypingOff:        "이제부터 내가 쓰는 중인지 상대가 못 봐요: {0}",
	LabelTyping:      "입력 중 알림",
	PresenceOn:       "이제부터 내가 앞에 있을 때 상대가 봐요. 둘 다 켜져 있을 때만이에요: {0}",
	PresenceOff:      "이제부터 내가 앞에 있는지 상대가 못 봐요: {0}",
	LabelPresence:    "접속 알림",
	Writes:           "입력 중…",
	IsHere:           "앞에 있음",
	PictureSet:       "프로필 사진을 바꿨어요. 가운데를 작게 잘라 쓰고, 찍은 곳이나 기기 같은 정보는 남기지 않아요. 연락처에게는 둘 다 켜져 있을 때 가요.",
	PictureCleared:   "프로필 사진을 없앴어요. 연락처에게는 둘 다 켜져 있을 때 알려져요. 이미 본 사람은 가지고 있을 수 있어요.",
	PictureOrClear:   "파일과 --clear 가운데 하나만 쓰세요",
	PageOrDirectory:  "명령 하나를 쓰거나, 모든 명령이면 --dir을 쓰세요",
	LinkOrPicture:    "링크를 쓰거나, --scan 뒤에 QR 코드 사진을 쓰세요",
	LabelPicture:     "사진",
	LabelFlags:       "내 표시",
	FlagPinned:       "고정",
	FlagMuted:        "알림 끔",
	FlagArchived:     "보관",
	FlagDraft:        "쓰다 만 글",

	"problem.nothing_to_search": "찾을 글자나 숫자가 없어요",

	"help.search":          "메시지는 낱말로, 연락처는 이름으로 찾습니다",
	"flag.--in":            "이 대화에서만",
	"flag.--from":          "이 연락처가 쓴 것만. self는 내가 쓴 것",
	"flag.search --kind":   "text는 메시지만, contact는 연락처만",
	"flag.search --since":  "이때부터 온 것만: 시각, 날짜, 24h",
	"flag.search --until":  "이때보다 먼저 온 것만: 시각, 날짜, 24h",
	"flag.search --number": "메시지를 최근 것부터 몇 개까지",

	"help.chat mute":          "대화의 알림을 끕니다",
	"help.chat archive":       "대화를 보관함으로 옮깁니다",
	"help.chat pin":           "대화를 맨 위에 고정합니다",
	"help.chat mark-unread":   "대화를 다시 읽을 때까지 안 읽음으로 표시합니다",
	"help.chat draft":         "쓰다 만 글을 보거나 적어 두거나 지웁니다",
	"flag.--mention":          "@ 뒤의 이름이 상대나 나를 가리키게 합니다",
	"help.forward":            "메시지의 글과 파일을 다른 사람에게 전달합니다. 누가 쓴 것인지는 전하지 않습니다",
	"help.contact receipts":   "어디까지 읽었는지 연락처에게 보입니다. 처음에는 아무에게도 보이지 않습니다",
	"help.contact typing":     "내가 쓰는 중일 때 연락처에게 보입니다. 처음에는 아무에게도 보이지 않습니다",
	"help.contact presence":   "내가 앞에 있을 때 연락처에게 보입니다. 처음에는 아무에게도 보이지 않습니다",
	"help.chat typing":        "대화에 쓰는 중이라고, 볼 수 있는 연락처에게 알립니다. 6초 뒤에 끝납니다",
	"help.me picture":         "연락처가 보는 내 사진을 바꾸거나 출력합니다",
	"flag.me picture --clear": "사진을 없앱니다",
	"help.contact picture":    "연락처의 사진(JPEG)을 출력합니다",
	"help.me here":            "앞에 있다고, 볼 수 있는 연락처들에게 알립니다. 2분 30초 뒤에 끝납니다",
	"flag.--for":              "이만큼 되풀이해 알리고 끝나면 끝났다고 알립니다, 예: 20s, 8h",
	"flag.chat typing --off":  "끝났다고 알립니다",
	"flag.me here --off":      "자리를 떴다고 알립니다",
	"help.react":              "메시지에 이모지를 달거나 뗍니다",
	"flag.react --remove":     "뗍니다",
	"help.star":               "메시지에 나만 보는 별표를 합니다",
	"help.star list":          "별표 한 메시지를 최근 것부터 봅니다",
	"help.pin":                "메시지를 나만 보게 고정합니다",
	"help.pin list":           "고정한 메시지를 최근 것부터 봅니다",
	"flag.--off":              "되돌립니다",
	"flag.chat draft --off":   "지웁니다",
	"flag.chat mute --for":    "얼마 동안인지, 예: 8h, 1w. 없으면 되돌릴 때까지",
	"flag.--archived":         "보관한 대화를 대신 봅니다",
	"flag.star list --number": "몇 개까지",
	"flag.pin list --number":  "몇 개까지",
}
