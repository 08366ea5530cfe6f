"""Detect the encoding of a table's text by how plausible the decoded text is.

Only encodings that decode every byte are candidates. Among them a reading costs, in bits, what its
characters would: few for those of names and clinical headers in a language, many for signs and
rare ideographs, which is what text in another encoding turns into.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

# Per encoding, the letters beyond ASCII of one language each, in small letters, the more frequent
# groups first; the first encoding that reads a text as cheaply as any other is taken.
_GERMAN, _FRENCH, _SPANISH = "üäöß é", "é àèê çôâîû œùëïüæ", "óíáéñ ú ü¿¡ºª"
_POLISH, _CZECH, _SLOVAK = "łąęó żść ńź", "íáéěýřč žšů úňťďó", "áíéžýšú čľťôň äďĺŕó"
_CROATIAN = "čšž ćđ"
ALPHABETS = {
    "cp1252": (
        _GERMAN,
        _FRENCH,
        _SPANISH,
        "àèù òìé",  # Italian
        "ãçáéí óêâ õúôà",  # Portuguese
        "äåö éü",  # Swedish, Finnish
        "øåæ ö é",  # Danish, Norwegian
        "ëéïö üèêóáí",  # Dutch
    ),
    "cp1250": (_POLISH, _CZECH, _SLOVAK, "áéöőó íüúű", _CROATIAN, "ăâî şţ"),  # Hungarian, Romanian
    "iso8859_2": (_POLISH, _CZECH, _SLOVAK, "áéöőó íüúű", _CROATIAN),
    "cp1254": ("ışüğçö İâî",),  # Turkish
    "cp1257": ("āīēšū ļņķžģč", "ėšųžį ūąęč", "õäüö šž"),  # Latvian, Lithuanian, Estonian
    "cp1253": ("αοιετσνηυρπκμλςάέίόή ωδγχθφβξζψύώ ϊϋ",),  # Greek
    "iso8859_15": (_FRENCH, _GERMAN),
    "cp850": (_GERMAN, _FRENCH, _SPANISH),  # of consoles
    "cp852": (_POLISH, _CZECH),
    "mac_roman": (_GERMAN, _FRENCH, _SPANISH),
    "latin-1": ("",),
}

# Russian by frequency, then the letters of its neighbours.
CYRILLIC = "оеаинтсрвлкмдпуяызьбгчйхжшюцщэфъёіїєґў"

CHINESE = frozenset(
    "年龄性别患者编号姓名住院病理超声图像图片路径诊断结果日期时间手术活检穿刺淋巴转移阳性阴性是否有无未知"
    "不详肿瘤大小位置左右乳腺癌类型分期级别分子亚型月经状态绝经前后激素受体雌孕表达指数医院科室检查报告医生"
    "师备注浸润导管小叶原位其他象限内外上下侧单双多发新辅助化疗放疗史治疗家族既往体重身高血压电话地址出生入"
    "组随访复死亡生存北京上海广州市省县协和人民中医大学附属第一二三四五六七八九十个数量值单位毫米厘米天岁女男的"
)
TAIWANESE = frozenset(
    "年齡性別患者編號姓名住院病理超音波圖像影像路徑診斷結果日期時間手術切片穿刺淋巴結轉移陽性陰性是否有無未知"
    "不詳腫瘤大小位置左右乳腺癌類型分期級別分子亞型月經狀態停經前後荷爾蒙受體表現指數醫院科室檢查報告醫師備註"
    "浸潤導管小葉原位其他象限內外上下側單雙多發術前輔助化療放療病史治療家族既往體重身高血壓電話地址出生臺灣大學"
    "台北市縣榮民總長庚香港第一二三四五六七八九十個數量值單位公分毫米歲女男的"
)
JAPANESE = frozenset(
    "年齢性別患者番号氏名病院病理超音波画像診断結果日付時間手術生検転移陽性陰性有無不明腫瘍大位置左右乳癌房型"
    "分類病期組織学的閉経前後状態受容体発現指数検査報告医師備考浸潤乳管小葉非其他上下内外側両側多発術前化療法放"
    "射線既往歴治療家族体重身長生月施設名東京大阪市立県附属第一二三四五六七八九十個数値単位歳女男入腋窩節"
)
KOREAN = frozenset(
    "나이연령성별환자번호이름병원병리초음파영상이미지경로진단결과날짜일자시간수술조직검사림프절전이양성음성여부유무"
    "미상종양크기위치좌우유방암유형병기등급분자아형폐경전후상태호르몬수용체발현지수과의사비고침윤관소엽기타사분면"
    "안밖위아래측단다발선행보조항암화학방사선치료력가족과거체중키혈압전화주소생년월일서울대학교삼성아산연세브란스"
    "남자여은는가을를에로하고있없한국부산인천광역시도군구"
)


_BOMS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_SAMPLE_BYTES = 20_000
_BETWEEN = re.compile(rb"[,;\t ]")  # never the second byte of a character
_MANY = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_BY_CHANCE = 4  # characters that may be UTF-8 by accident, as 医院 in GB 18030 is
_FEWEST_DAMAGED = 5  # sequences of UTF-8 that show a file to be damaged UTF-8, not another encoding
_ASCII, _SIGN, _STRANGE = 5.0, 9.0, 13.0  # bits
_KNOWN, _COMMON, _RARE, _RAREST = 9.0, 12.0, 16.0, 20.0
_SIGNS = frozenset(
    "°µ²³±§·×–—‘’“”„…€«»≥≤→№®、。・，：；（）【】《》％＋－～／　「」ー"  # noqa: RUF001 - signs of all scripts
)

_MICRO = 4.5  # of µm, which is frequent where pixels are measured
_PRIOR = {"cp1252": -1.0, "cp1257": 3.0, "cp850": 2.0, "cp852": 2.0, "mac_roman": 2.0}

Cost = Callable[[str], float]


@dataclass(frozen=True, slots=True)
class DecodedText:
    """A text and the encoding that it was in."""

    text: str
    encoding: str


def decode_text(content: bytes) -> DecodedText | None:
    """Return the text of a file and its encoding; None if no usual encoding fits all of it."""
    for encoding in _find_marked_encodings(content):
        decoded = _decode(content, encoding)
        if decoded is None or "\0" in decoded.text:
            continue
        if not encoding.startswith("utf-16-") or re.search(r"[,;\t|].*[\r\n]", decoded.text):
            return decoded
    if b"\0" in content or _is_damaged_utf8(content):
        return None
    sample = _sample(content)
    ranked = []
    for encoding, costs in _candidates().items():
        read = _decode(sample, encoding)
        if read is not None and _sound(read.text):
            bits = min(_bits(read.text, cost) for cost in costs)
            ranked.append((bits + _PRIOR.get(encoding, 0.0), encoding))
    for _, encoding in sorted(ranked, key=lambda pair: pair[0]):
        if (whole := _decode(content, encoding)) is not None:
            return whole
    return None


def _decode(content: bytes, encoding: str) -> DecodedText | None:
    try:
        return DecodedText(content.decode(encoding), encoding)
    except UnicodeDecodeError:
        return None


def _find_marked_encodings(content: bytes) -> Iterator[str]:
    """Yield the encodings that the bytes themselves show."""
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            yield encoding
    if b"\x1b$" in content:
        yield "iso2022_jp"
    if content.isascii() or len(_MANY.findall(content)) > _BY_CHANCE:
        yield "utf-8"
    if b"\0" in content and len(content) % 2 == 0:  # of UTF-16, every comma and line end has one
        low, high = content[0::2].count(0), content[1::2].count(0)
        yield from ("utf-16-le", "utf-16-be") if high >= low else ("utf-16-be", "utf-16-le")


def _is_damaged_utf8(content: bytes) -> bool:
    """Whether almost all of it is UTF-8: then the rest is damage, and not to be read as letters."""
    good = _MANY.findall(content)
    bad = sum(byte >= 0x80 for byte in content) - sum(map(len, good))  # noqa: PLR2004 - no ASCII
    return len(good) >= _FEWEST_DAMAGED and bad * 10 <= len(good)


def _sample(content: bytes) -> bytes:
    """Return the distinct lines that are not ASCII, up to a limit; the others tell nothing.

    Of a line beyond that limit, the cells or words within it stand for the whole.
    """
    lines = dict.fromkeys(
        part
        for line in content.splitlines()
        for part in ([line] if len(line) <= _SAMPLE_BYTES else _BETWEEN.split(line))
        if not part.isascii() and len(part) <= _SAMPLE_BYTES
    )
    kept: list[bytes] = []
    size = 0
    for line in lines:
        kept.append(line)
        size += len(line)
        if size > _SAMPLE_BYTES:
            break
    return b"\n".join(kept)


def _sound(text: str) -> bool:
    """Whether the text is free of controls, and of private and unassigned characters."""
    return not any(
        unicodedata.category(letter) in ("Cc", "Co", "Cn", "Cs") and letter not in "\t\n\r"
        for letter in set(text)
    )


def _bits(text: str, cost: Cost) -> float:
    """Return what a reading costs; letters cost more where no word would have them."""
    total = 0.0
    for before, letter, after in zip(" " + text, text, text[1:] + " ", strict=False):
        if letter.isascii():
            total += _ASCII
            continue
        total += cost(letter)
        if letter.isalpha() and letter not in _SIGNS:
            total += _out_of_place(before, letter, after)
    return total


def _out_of_place(before: str, letter: str, after: str) -> float:
    if letter >= "\u2e80":  # ideographs, kana and hangul: seldom between Latin letters
        latin = (before + after).isascii() and before.isalpha() and after.isalpha()
        return 5.0 if latin else 0.0
    bits = 0.0
    if not (before.isalpha() or after.isalpha()):
        bits += 4.0
    if letter.isupper() and (before.islower() or (before.isupper() and after.islower())):
        bits += 8.0
    if letter.islower() and before.isupper() and after.isupper():
        bits += 5.0
    if _script(letter) != "LATIN" and any(n.isalpha() and n.isascii() for n in (before, after)):
        bits += 6.0
    return bits


@cache
def _script(letter: str) -> str:
    return unicodedata.name(letter, "").split(" ", 1)[0]


def _candidates() -> dict[str, list[Cost]]:
    """Return, per encoding, what characters cost in each of its languages."""
    asian = {
        "gb18030": _ideographs(CHINESE, "gb2312", first=0xB0, last=0xD7),
        "cp950": _ideographs(TAIWANESE, "big5", first=0xA4, last=0xC6),
        "cp932": _japanese,
        "euc_jp": _japanese,
        "cp949": _korean,
    }
    latin = {
        encoding: [_alphabet(letters) for letters in languages]
        for encoding, languages in ALPHABETS.items()
    }
    slavic = {encoding: [_cyrillic] for encoding in ("cp1251", "koi8_r", "cp866", "iso8859_5")}
    return {
        "utf-8": [_any_language],
        **latin,
        **slavic,
        **{encoding: [cost] for encoding, cost in asian.items()},
    }


def _any_language(letter: str) -> float:
    """Return the cost in UTF-8, whose form is itself evidence for it."""
    languages = (_alphabet(letters) for some in ALPHABETS.values() for letters in some)
    costs = (
        *(cost(letter) for cost in languages),
        *(_cyrillic(letter), _japanese(letter), _korean(letter)),
        _COMMON if letter in CHINESE | TAIWANESE or "\u4e00" <= letter <= "\u9fff" else _RAREST,
    )
    return min(cost if cost != _STRANGE else _RAREST for cost in costs) - 8.0


def _alphabet(letters: str) -> Cost:
    own = {
        form: 4.0 + 1.5 * rank
        for rank, group in enumerate(letters.split())
        for letter in group
        for form in (letter, letter.upper())
    }

    def cost(letter: str) -> float:
        other = _MICRO if letter == "µ" else _SIGN if letter in _SIGNS else _STRANGE
        return own.get(letter, other)

    return cost


def _cyrillic(letter: str) -> float:
    folded = letter.lower()
    if folded in CYRILLIC:
        return 4.0 if CYRILLIC.index(folded) < 16 else 6.0  # noqa: PLR2004 - the most frequent
    return _SIGN if letter in _SIGNS else _STRANGE


def _ideographs(known: frozenset[str], codec: str, *, first: int, last: int) -> Cost:
    """Return the costs of Chinese: the first level of a standard holds the characters in use."""

    def cost(letter: str) -> float:
        if letter in known:
            return _KNOWN
        lead = _lead(letter, codec)
        if letter in _SIGNS:
            return _SIGN + 2
        if lead is None:
            return _RAREST
        return _COMMON if first <= lead <= last else _RARE

    return cost


def _japanese(letter: str) -> float:
    if "ぁ" <= letter <= "ヺ":
        return 7.0
    if "｡" <= letter <= "ﾟ":  # of half width, one byte each
        return 10.0
    if letter in JAPANESE:
        return _KNOWN
    if letter in _SIGNS:
        return _SIGN + 2
    lead = _lead(letter, "euc_jp")
    if lead is None:
        return _RAREST
    return _COMMON if 0xB0 <= lead <= 0xCF else _RARE  # noqa: PLR2004 - the first level


def _korean(letter: str) -> float:
    if letter in KOREAN:
        return 8.0
    if letter in _SIGNS:
        return _SIGN + 2
    lead = _lead(letter, "euc_kr")
    if lead is None:
        return _RAREST
    return 13.0 if 0xB0 <= lead <= 0xC8 else _RARE  # noqa: PLR2004 - syllables, not hanja


@cache
def _lead(letter: str, codec: str) -> int | None:
    try:
        return letter.encode(codec)[0]
    except UnicodeEncodeError:
        return None
