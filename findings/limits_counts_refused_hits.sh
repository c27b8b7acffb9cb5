#!/bin/sh
# limits 5.8.0. FixedWindowRateLimiter counts what it refuses: after 8 of 10 a request that costs 5 is refused, and a request
# that costs 2, which would fit, is refused too, until the window ends. With tokens as cost, one long text that does not fit
# stops all short ones. `hit` returns False "if the cost could not be deducted"; the other strategies deduct nothing then.
# Output seen:
#     FixedWindowRateLimiter: [True, False, False], remaining 0
#     MovingWindowRateLimiter: [True, False, True], remaining 0
#     SlidingWindowCounterRateLimiter: [True, False, True], remaining 0
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet limits==5.8.0 || exit 2
"$folder/bin/python" - <<'EOF'
import limits
from limits.storage import MemoryStorage

seen = {}
for name in ("FixedWindowRateLimiter", "MovingWindowRateLimiter", "SlidingWindowCounterRateLimiter"):
    limiter, limit = getattr(limits.strategies, name)(MemoryStorage()), limits.parse("10/hour")
    seen[name] = [limiter.hit(limit, "tokens", cost=cost) for cost in (8, 5, 2)]
    print(f"{name}: {seen[name]}, remaining {limiter.get_window_stats(limit, 'tokens').remaining}")
assert list(seen.values()) == [[True, False, False], [True, False, True], [True, False, True]]
EOF
