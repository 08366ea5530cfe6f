"""Letters of languages and the characters of clinical tables, by which encodings are told apart."""

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
