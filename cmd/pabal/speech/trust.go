package speech

// What is said about whether somebody is who they seem to be.
const (
	NameLooksLike         Key = "name_looks_like"
	NameLooksLikeOwn      Key = "name_looks_like_own"
	NameMixesAlphabets    Key = "name_mixes_alphabets"
	KeyChangeAcknowledged Key = "key_change_acknowledged"
	CopiesUnknown         Key = "copies_unknown"
)

// englishTrust is read only.
var englishTrust = map[Key]string{
	NameLooksLike:         "Careful: the name “{0}” looks like that of another contact, “{1}” ({2}). pabal verify tells whom you talk with; pabal contact rename gives a name of your own.",
	NameLooksLikeOwn:      "Careful: the name “{0}” looks like your own.",
	NameMixesAlphabets:    "Careful: the name “{0}” mixes letters of alphabets that look alike.",
	KeyChangeAcknowledged: "Messages go to the new device of {0}. They are not verified any more: compare with pabal verify.",

	"problem.same_link_two_people": "you added another contact by this link: two people gave it to you, and one of them may be trying whom you know",

	CopiesUnknown: "Not to be known from here: {0}.",

	"copy.this_device":        "this device",
	"copy.contact_device":     "the device of",
	"copy.courier":            "a courier of the contact",
	"copy.bundle_file":        "a bundle file",
	"copy.token":              "the program with the token",
	"copy.readable":           "readable",
	"copy.sealed":             "sealed, not to be read there",
	"copy.known":              "certain",
	"copy.said":               "by its own word",
	"copy.possible":           "possible",
	"copy.asked":              "asked to delete it, no answer yet",
	"copy.confirmed":          "says that it deleted it",
	"copy.refused":            "says that it keeps it",
	"unknown.screenshots":     "pictures of the contact's screen",
	"unknown.contact_backups": "backups of the contact's machine",
	"unknown.own_backups":     "backups, snapshots and swap of this machine, made by others",
	"unknown.owner_programs":  "what programs of the same user and browsers have read here",
	"unknown.earlier_files":   "bundle files that were made before it was delivered",
	"unknown.notifications":   "what the system kept of notifications that showed texts",

	"help.copies":              "say who may hold a message",
	"help.contact acknowledge": "write on to a verified contact whose devices changed, without comparing",
}

// koreanTrust is read only.
var koreanTrust = map[Key]string{
	NameLooksLike:         "조심하세요: “{0}”{0~은/는} 다른 연락처 “{1}”({2})의 이름과 비슷하게 보여요. pabal verify로 누구인지 확인하고, pabal contact rename으로 나만의 이름을 붙이세요.",
	NameLooksLikeOwn:      "조심하세요: “{0}”{0~은/는} 내 이름과 비슷하게 보여요.",
	NameMixesAlphabets:    "조심하세요: “{0}”에는 서로 닮은 여러 문자가 섞여 있어요.",
	KeyChangeAcknowledged: "이제 {0} 님의 새 기기로 메시지를 보내요. 더는 확인된 상대가 아니에요. pabal verify로 다시 비교하세요.",

	"problem.same_link_two_people": "이 링크로는 이미 다른 연락처를 추가했어요. 두 사람이 같은 링크를 주었으니, 한쪽이 당신이 누구를 아는지 떠보는 것일 수 있어요",

	CopiesUnknown: "여기서는 알 수 없는 것: {0}.",

	"copy.this_device":        "이 기기",
	"copy.contact_device":     "상대의 기기",
	"copy.courier":            "상대의 전달자",
	"copy.bundle_file":        "옮기려고 만든 파일",
	"copy.token":              "토큰을 가진 프로그램",
	"copy.readable":           "읽을 수 있음",
	"copy.sealed":             "봉인됨, 거기서는 못 읽음",
	"copy.known":              "확실함",
	"copy.said":               "그쪽 말로는",
	"copy.possible":           "있을 수 있음",
	"copy.asked":              "지워 달라고 함, 아직 답 없음",
	"copy.confirmed":          "지웠다고 함",
	"copy.refused":            "지우지 않겠다고 함",
	"unknown.screenshots":     "상대 화면을 찍은 사진",
	"unknown.contact_backups": "상대 기기의 백업",
	"unknown.own_backups":     "다른 프로그램이 만든 이 기기의 백업, 스냅샷, 스왑",
	"unknown.owner_programs":  "같은 사용자의 프로그램과 브라우저가 여기서 읽은 것",
	"unknown.earlier_files":   "전달되기 전에 옮기려고 만든 파일",
	"unknown.notifications":   "내용을 보여 준 알림 가운데 시스템이 보관한 것",

	"help.copies":              "메시지를 누가 가지고 있을 수 있는지 알려 줍니다",
	"help.contact acknowledge": "기기가 바뀐 확인된 연락처에게, 비교하지 않고 계속 보냅니다",
}
