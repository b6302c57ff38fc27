package speech

// What is said about attacking the own profile, and what surrounds it.
const (
	DrillHits            Key = "drill_hits"
	DrillClean           Key = "drill_clean"
	DrillCleanOutside    Key = "drill_clean_outside"
	DrillNeedsPassphrase Key = "drill_needs_passphrase"
	NoProfileHere        Key = "no_profile_here"
	DrillCrashBegins     Key = "drill_crash_begins"
	DrillCrashKept       Key = "drill_crash_kept"
	DrillCrashBroken     Key = "drill_crash_broken"
	DrillKillsWrong      Key = "drill_kills_wrong"
)

// englishDrill is read only.
var englishDrill = map[Key]string{
	DrillHits:            "{0} hits: something that was deleted, or belongs to nothing, can still be found. Please report it, with the table above.",
	DrillClean:           "Nothing that was deleted was found, with the key or without it. Warnings are about what no program can erase for you.",
	DrillCleanOutside:    "Without the key nothing can be told from the files. What was deleted is only looked for with it: run pabal drill.",
	DrillNeedsPassphrase: "the profile has a passphrase: give --passphrase-file, or use --outside to attack it without",
	NoProfileHere:        "there is no profile {0} here",

	DrillCrashBegins: "Two daemons of their own write to each other and are killed {0} times. This takes some minutes; your profile is not touched.",
	DrillCrashKept:   "Nothing that was acknowledged was lost, doubled or moved.",
	DrillCrashBroken: "A promise was broken. Please report it; profiles and logs of the two are in {0}.",
	DrillKillsWrong:  "--kills must be at least 1",

	"verdict.hit":         "HIT",
	"problem.drill_blind": "the drill does not find what it planted itself, and proves nothing: please report it",

	"drill.step_plant":   "planting sentinels in the note to self and looking for them …",
	"drill.step_erase":   "deleting them and looking again …",
	"drill.step_later":   "writing on, and looking for what comes back …",
	"drill.step_examine": "looking for anything that no row owns …",
	"drill.step_outside": "looking at every file without the key …",

	"drill.sentinels_gone":    "{0} copies of planted texts were found before deleting them, none after",
	"drill.sentinels_left":    "{0} copies of planted texts are still there after deleting them",
	"drill.later_none":        "none came back when more was written",
	"drill.later_back":        "{0} copies of deleted texts came back when more was written",
	"drill.pages_owned":       "every byte of {0} pages belongs to a row or is zero",
	"drill.pages_unowned":     "{0} bytes between rows or in free pages belong to nothing and are not zero",
	"drill.cache_clean":       "memory holds nothing that would be written again",
	"drill.cache_unowned":     "{0} bytes that belong to nothing would be written again from memory",
	"drill.rows_owned":        "every row belongs to something",
	"drill.warrant_agrees":    "{0} messages and held items in the pages, as many as the warrant report counts",
	"drill.warrant_differs":   "{0} messages or held items are in the pages or in the warrant report, and not in both",
	"drill.warrant_sealed":    "{0} files show sizes and times only, as the warrant report says of a locked machine",
	"drill.warrant_leaks":     "{0} traces that the warrant report does not tell of",
	"drill.warrant_keyfile":   "the key lies beside {0} files, and the warrant report says so: locked is as good as open",
	"drill.rows_orphaned":     "{0} rows belong to nothing:{1}",
	"drill.terms_owned":       "every search term is one of a message that is there",
	"drill.terms_stale":       "the search terms of {0} messages are not those of their texts",
	"drill.chunks_owned":      "every piece of a file belongs to a message",
	"drill.chunks_stray":      "{0} pieces of files belong to nothing",
	"drill.files_known":       "{0} files, all of a known kind",
	"drill.files_unknown":     "{0} files that nothing owns, one of them {1}",
	"drill.structure_none":    "all that is sealed looks random",
	"drill.structure_seen":    "{0} blocks do not look random, some in {1}",
	"drill.text_none":         "nothing is readable",
	"drill.text_readable":     "{0} readable places, some in {1}",
	"drill.words_none":        "no name and no text of the profile stands in a file",
	"drill.words_found":       "{0} names or texts of the profile stand in files, some in {1}",
	"drill.log_left":          "a daemon that was killed had left {0} bytes of log; the start has erased what was deleted in them",
	"drill.guess_cost":        "one guess of the passphrase takes {0} ms here ({1})",
	"drill.guess_none":        "no passphrase: whoever has this disk reads everything",
	"doctor.core_none":        "a crash leaves no memory on the disk",
	"doctor.core_file":        "a crash would write memory to a file ({0})",
	"doctor.core_program":     "a crash would hand memory to {0}, which may keep it",
	"doctor.core_unknown":     "core dumps were not looked at",
	"doctor.snapshots_found":  "{0} holds older states of the disk, and what was deleted since",
	"doctor.snapshots_unseen": "no snapshots in the usual places",
	"doctor.history_none":     "no texts in the history of a shell",
	"doctor.history_texts":    "the history of a shell holds commands with texts of messages ({0}); write texts to the standard input of pabal send Mina - instead",

	"help.drill":                   "attack the own profile: is what was deleted gone?",
	"flag.drill --crash":           "kill daemons of its own under load instead, and look for what is lost",
	"flag.drill --kills":           "how often, with --crash",
	"flag.--outside":               "only with what a thief of the disk has: without the key",
	"flag.drill --passphrase-file": "open a stopped profile with the first line of this file, - for standard input",
}

// koreanDrill is read only.
var koreanDrill = map[Key]string{
	DrillHits:            "{0}건 발견: 지운 것이나 주인 없는 것이 아직 남아 있어요. 위 표와 함께 알려 주세요.",
	DrillClean:           "지운 것은 열쇠가 있어도 없어도 나오지 않았어요. 주의는 어떤 프로그램도 대신 지울 수 없는 것들이에요.",
	DrillCleanOutside:    "열쇠 없이는 파일에서 아무것도 알 수 없어요. 지운 것이 남았는지는 열쇠로만 찾을 수 있어요: pabal drill을 실행하세요.",
	DrillNeedsPassphrase: "암호가 있는 프로필이에요. --passphrase-file을 주거나, 암호 없이 공격하려면 --outside를 쓰세요",
	NoProfileHere:        "프로필 {0|이/가} 여기에 없어요",

	DrillCrashBegins: "따로 만든 데몬 둘이 서로 쓰는 동안 {0}번 강제로 끝내요. 몇 분 걸리고, 내 프로필은 건드리지 않아요.",
	DrillCrashKept:   "받았다고 한 것은 하나도 사라지거나 겹치거나 순서가 바뀌지 않았어요.",
	DrillCrashBroken: "약속이 깨졌어요. 알려 주세요. 두 데몬의 프로필과 로그: {0}",
	DrillKillsWrong:  "--kills는 1 이상이어야 해요",

	"verdict.hit":         "발견",
	"problem.drill_blind": "직접 심은 글을 찾지 못해서 증명이 되지 않아요. 알려 주세요",

	"drill.step_plant":   "나와의 대화에 표식을 심고 찾아보는 중 …",
	"drill.step_erase":   "지우고 다시 찾아보는 중 …",
	"drill.step_later":   "더 써 보고 되살아나는 것을 찾아보는 중 …",
	"drill.step_examine": "주인 없는 것을 찾아보는 중 …",
	"drill.step_outside": "열쇠 없이 모든 파일을 살펴보는 중 …",

	"drill.sentinels_gone":    "심은 글의 사본이 지우기 전에는 {0}개, 지운 뒤에는 없어요",
	"drill.sentinels_left":    "지운 뒤에도 심은 글의 사본이 {0}개 남아 있어요",
	"drill.later_none":        "더 써도 되살아난 것이 없어요",
	"drill.later_back":        "더 쓰자 지운 글의 사본 {0}개가 되살아났어요",
	"drill.pages_owned":       "{0}쪽의 모든 바이트에 주인이 있거나 0이에요",
	"drill.pages_unowned":     "행 사이나 빈 쪽에 주인 없는 바이트가 {0}개 있어요",
	"drill.cache_clean":       "메모리에 다시 쓰일 것이 없어요",
	"drill.cache_unowned":     "주인 없는 {0}바이트가 메모리에서 다시 쓰일 수 있어요",
	"drill.rows_owned":        "모든 행에 주인이 있어요",
	"drill.warrant_agrees":    "페이지에 있는 메시지와 맡은 우편은 {0}개로, warrant 보고서가 세는 수와 같아요",
	"drill.warrant_differs":   "페이지와 warrant 보고서 중 한쪽에만 있는 메시지나 맡은 우편이 {0}개예요",
	"drill.warrant_sealed":    "파일 {0}개에서 크기와 시각만 보여요. warrant 보고서가 잠긴 컴퓨터에 대해 말하는 그대로예요",
	"drill.warrant_leaks":     "warrant 보고서에 없는 흔적이 {0}개예요",
	"drill.warrant_keyfile":   "파일 {0}개 옆에 열쇠가 있고, warrant 보고서도 그렇게 말해요. 잠겨 있어도 열린 것과 같아요",
	"drill.rows_orphaned":     "주인 없는 행이 {0}개 있어요:{1}",
	"drill.terms_owned":       "모든 검색어는 있는 메시지의 것이에요",
	"drill.terms_stale":       "메시지 {0}개의 검색어가 글과 달라요",
	"drill.chunks_owned":      "파일 조각은 모두 메시지에 속해요",
	"drill.chunks_stray":      "주인 없는 파일 조각이 {0}개 있어요",
	"drill.files_known":       "파일 {0}개, 모두 아는 종류예요",
	"drill.files_unknown":     "주인 없는 파일이 {0}개 있어요. 그 가운데 하나: {1}",
	"drill.structure_none":    "봉인된 것은 모두 무작위로 보여요",
	"drill.structure_seen":    "무작위로 보이지 않는 곳이 {0}군데 있어요. 예: {1}",
	"drill.text_none":         "읽을 수 있는 것이 없어요",
	"drill.text_readable":     "읽을 수 있는 곳이 {0}군데 있어요. 예: {1}",
	"drill.words_none":        "이름도 글도 파일에 그대로 있지 않아요",
	"drill.words_found":       "이름이나 글 {0}개가 파일에 그대로 있어요. 예: {1}",
	"drill.log_left":          "강제로 끝난 데몬이 로그 {0}바이트를 남겼어요. 그 안의 지운 것은 시작하면서 지웠어요",
	"drill.guess_cost":        "암호를 한 번 맞혀 보는 데 여기서 {0}ms 걸려요 ({1})",
	"drill.guess_none":        "암호가 없어요. 이 디스크를 가진 사람은 누구나 모두 읽을 수 있어요",
	"doctor.core_none":        "비정상 종료가 메모리를 디스크에 남기지 않아요",
	"doctor.core_file":        "비정상 종료가 메모리를 파일({0})에 쓸 수 있어요",
	"doctor.core_program":     "비정상 종료가 메모리를 {0}에 넘기고, 거기에 남을 수 있어요",
	"doctor.core_unknown":     "코어 덤프는 살펴보지 못했어요",
	"doctor.snapshots_found":  "{0}에 디스크의 예전 상태와 그 뒤에 지운 것이 남아 있어요",
	"doctor.snapshots_unseen": "흔한 자리에는 스냅샷이 없어요",
	"doctor.history_none":     "셸 기록에 메시지 글이 없어요",
	"doctor.history_texts":    "셸 기록에 메시지 글이 든 명령이 있어요({0}). pabal send 이름 - 으로 쓰면 남지 않아요",

	"help.drill":                   "내 프로필을 공격해 지운 것이 정말 없는지 봅니다",
	"flag.drill --crash":           "대신 따로 만든 데몬을 강제로 끝내며 사라지는 것이 없는지 봅니다",
	"flag.drill --kills":           "--crash에서 몇 번 끝낼지",
	"flag.--outside":               "디스크를 훔친 사람처럼 열쇠 없이만",
	"flag.drill --passphrase-file": "멈춘 프로필을 이 파일의 첫 줄로 엽니다. -는 표준 입력",
}
