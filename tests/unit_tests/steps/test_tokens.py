"""Estimates of tokens: high enough for the budget of a request, low enough for a cut, and fast."""

from __future__ import annotations

import time
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_eis.steps.tokens import SCRIPTS, cut, least_tokens, tokens

CODE = '''def window_size_for(model: RerankModel | None) -> int:
    """Return how many documents a call holds, unless the user sets it."""
    if model is not None and model.listwise and model.window is None:
        return LARGE_WINDOW_SIZE
    return model.window if model and model.window else WINDOW_SIZE
'''

# The first article of the Universal Declaration of Human Rights in 16 languages, code, JSON and base64, each with its number of
# tokens (qwen.tiktoken of dashscope 2.0.2).
TEXTS = [
    (
        "eng",
        33,
        "All human beings are born free and equal in dignity and rights. They are endowed with reason and conscience and should act towards one another in a spirit of brotherhood.",
    ),
    (
        "deu_1996",
        44,
        "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit Vernunft und Gewissen begabt und sollen einander im Geist der Brüderlichkeit begegnen.",
    ),
    (
        "ces",
        59,
        "Všichni lidé rodí se svobodní a sobě rovní co do důstojnosti a práv. Jsou nadáni rozumem a svědomím a mají spolu jednat v duchu bratrství.",
    ),
    (
        "vie",
        127,
        "Tất cả mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm và quyền. Mọi con người đều được tạo hoá ban cho lý trí và lương tâm và cần phải đối xử với nhau trong tình bằng hữu.",
    ),
    (
        "swh",
        48,
        "Watu wote wamezaliwa huru, hadhi na haki zao ni sawa. Wote wamejaliwa akili na dhamiri, hivyo yapasa watendeane kindugu.",
    ),
    (
        "rus",
        49,
        "Все люди рождаются свободными и равными в своем достоинстве и правах. Они наделены разумом и совестью и должны поступать в отношении друг друга в духе братства.",
    ),
    (
        "ukr",
        78,
        "Всі люди народжуються вільними і рівними у своїй гідності та правах. Вони наділені розумом і совістю і повинні діяти у відношенні один до одного в дусі братерства.",
    ),
    ("cmn_hans", 29, "人人生而自由,在尊严和权利上一律平等。他们赋有理性和良心,并应以兄弟关系的精神相对待。"),
    (
        "jpn",
        52,
        "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。人間は、理性と良心とを授けられており、互いに同胞の精神をもって行動しなければならない。",
    ),
    (
        "kor",
        55,
        "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다. 인간은 천부적으로 이성과 양심을 부여받았으며 서로 형제애의 정신으로 행동하여야 한다.",
    ),
    (
        "lao",
        192,
        "ມະນຸດເກີດມາມີສິດເສລີພາບ ແລະ ສະເໝີໜ້າກັນໃນທາງກຽດຕິສັກ ແລະ ທາງສິດດ້ວຍມະນຸດມີສະຕິສຳປັດຊັນຍະ(ຮູ້ດີຮູ້ຊົ່ວ)ແລະມີມະໂນທຳຈື່ງຕ້ອງປະພຶດຕົນຕໍ່ກັນໃນທາງພີ່ນ້ອງ.",
    ),
    (
        "arb",
        47,
        "يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق. وقد وهبوا عقلاً وضميرًا وعليهم أن يعامل بعضهم بعضًا بروح الإخاء.",
    ),
    (
        "heb",
        51,
        "כל בני אדם נולדו בני חורין ושווים בערכם ובזכויותיהם. כולם חוננו בתבונה ובמצפון, לפיכך חובה עליהם לנהוג איש ברעהו ברוח של אחוה.",
    ),
    (
        "hin",
        173,
        "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है । उन्हें बुद्धि और अन्तरात्मा की देन प्राप्त है और परस्पर उन्हें भाईचारे के भाव से बर्ताव करना चाहिए ।",
    ),
    (
        "mya",
        400,
        "လူတိုင်းသည် တူညီ လွတ်လပ်သော ဂုဏ်သိက္ခာဖြင့် လည်းကောင်း၊ တူညီလွတ်လပ်သော အခွင့်အရေးများဖြင့် လည်းကောင်း၊ မွေးဖွားလာသူများ ဖြစ်သည်။ ထိုသူတို့၌ ပိုင်းခြား ဝေဖန်တတ်သော ဉာဏ်နှင့် ကျင့်ဝတ် သိတတ်သော စိတ်တို့ရှိကြ၍ ထိုသူတို့သည် အချင်းချင်း မေတ္တာထား၍ ဆက်ဆံကျင့်သုံးသင့်၏။",
    ),
    ("tha", 79, "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ ต่างมีเหตุผลและมโนธรรม และควรปฏิบัติต่อกันด้วยเจตนารมณ์แห่งภราดรภาพ"),
    ("code", 67, CODE),
    ("json", 43, '{"rerank":[{"index":0,"relevance_score":0.96133167},{"index":2,"relevance_score":0.85283023}]}'),
    ("base64", 55, "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="),
    ("table", 12, f"| a | b |\n|{'-' * 60}|{'-' * 60}|\n"),
    ("emoji", 51, "😀👍🏽👨\u200d👩\u200d👧 " * 5),
]


@pytest.mark.parametrize(("name", "real", "text"), TEXTS, ids=[name for name, _, _ in TEXTS])
def test_the_estimates_enclose_the_real_number(name: str, real: int, text: str) -> None:
    assert 0.75 * real <= tokens(text)
    assert least_tokens(text) <= real
    assert tokens(text * 100) == pytest.approx(100 * tokens(text), rel=0.04)


@pytest.mark.parametrize(("name", "real", "text"), TEXTS, ids=[name for name, _, _ in TEXTS])
def test_a_cut_keeps_the_tokens_of_the_limit(name: str, real: int, text: str) -> None:
    long = text * (40_000 // real)
    start = cut(long, 9_000)
    assert long.startswith(start)
    assert len(start) / len(text) * real >= 9_000  # repeated text has the same tokens in each repetition, or nearly
    if name in ("eng", "rus", "cmn_hans", "tha"):
        assert len(start) / len(text) * real < 1.7 * 9_000
    assert cut(text, 9_000) == text


def test_each_character_is_counted_once() -> None:
    everything = "".join(map(chr, [*range(33, 127), *range(0x80, 0xD800), *range(0xE000, 0xFFFE, 7), 0x1F600, 0x20000]))
    pages = [page for script in SCRIPTS for page in script.pages]
    assert sorted(pages) == [page for page in range(256) if not 0xDC <= page <= 0xDF]  # second halves of surrogate pairs
    letters = [letter for script in SCRIPTS for letter in script.ascii]
    assert sorted(letters) == list(range(33, 127))
    assert all(tokens(character) >= 1 for character in everything)
    assert tokens(" \n\t") == least_tokens("") == 0


CLUSTERS = ["👨\u200d👩\u200d👧", "👍🏽", "e\u0301", "ก็", "한", "❤\ufe0f", "a"]


@given(st.lists(st.sampled_from(CLUSTERS), min_size=200, max_size=400))
def test_a_cut_does_not_divide_a_character(clusters: list[str]) -> None:
    start = cut("".join(clusters) * 10, 20)
    assert len(start) in accumulate(map(len, clusters * 10))


@given(st.text(st.characters(), max_size=300).map(lambda text: text * 10), st.integers(0, 500))
def test_any_text_is_counted_and_cut(text: str, limit: int) -> None:
    assert 0 <= least_tokens(text) <= tokens(text)
    start = cut(text, limit)
    assert text.startswith(start)
    assert start == text or least_tokens(start) > limit


def test_long_texts_are_counted_quickly() -> None:
    text = TEXTS[5][2] * 1_000  # 160,000 characters in Cyrillic
    started = time.thread_time()
    for _ in range(30):
        tokens(text)
    assert time.thread_time() - started < 2  # measured: 0.2 s; a loop in Python takes 0.2 s for each text
