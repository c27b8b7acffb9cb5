#!/bin/sh
# ragas 0.4.3, sacrebleu 2.6.0, rouge-score 0.1.2. BleuScore gives 0 to an answer that equals its reference, if it has fewer than
# four words, as most answers to questions of fact have. RougeScore gives 0 to equal answers in other scripts than Latin, and
# removes letters with accents. (ragas cannot be imported with langchain-community 0.4.2, which pip installs with it: it needs
# 0.4.1.)
# Output seen:
#     Paris: BLEU 0.0, ROUGE 1.0
#     in the north of France: BLEU 1.0, ROUGE 1.0
#     в Париже: BLEU 0.0, ROUGE 0.0
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet ragas==0.4.3 langchain-community==0.4.1 sacrebleu==2.6.0 rouge-score==0.1.2 || exit 2
"$folder/bin/python" - <<'EOF'
import asyncio
import warnings

warnings.simplefilter("ignore")
from ragas import SingleTurnSample
from ragas.metrics import BleuScore, RougeScore

seen = {}
for answer in ("Paris", "in the north of France", "в Париже"):
    sample = SingleTurnSample(response=answer, reference=answer)
    seen[answer] = [round(asyncio.run(metric().single_turn_ascore(sample)), 2) for metric in (BleuScore, RougeScore)]
    print(f"{answer}: BLEU {seen[answer][0]:.1f}, ROUGE {seen[answer][1]:.1f}")
assert list(seen.values()) == [[0, 1], [1, 1], [0, 0]]
EOF
