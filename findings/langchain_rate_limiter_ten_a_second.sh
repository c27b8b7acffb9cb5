#!/bin/sh
# langchain-core 1.8.3. InMemoryRateLimiter(requests_per_second=100) lets 10 requests a second pass, with one caller or with
# eight. Callers look for tokens every 0.1 seconds, and the bucket holds one, so above 10 requests a second all further
# tokens are lost. It takes max_bucket_size, or a shorter check_every_n_seconds, to reach the rate that was asked for.
# Output seen:
#     requests_per_second=100: 10
#     requests_per_second=100, 8 callers: 10
#     requests_per_second=100, max_bucket_size=20: 100
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder" || exit 2
"$folder/bin/pip" install --quiet langchain-core==1.8.3 || exit 2
"$folder/bin/python" - <<'EOF'
import asyncio
import time

from langchain_core.rate_limiters import InMemoryRateLimiter


async def requests_a_second(requests, callers, **options):
    limiter = InMemoryRateLimiter(requests_per_second=100, **options)

    async def call():
        for _ in range(requests // callers):
            await limiter.aacquire()

    start = time.monotonic()
    await asyncio.gather(*(call() for _ in range(callers)))
    return requests / (time.monotonic() - start)


one = asyncio.run(requests_a_second(20, 1))
eight = asyncio.run(requests_a_second(24, 8))
bucket = asyncio.run(requests_a_second(200, 8, max_bucket_size=20))
print(f"requests_per_second=100: {one:.0f}")
print(f"requests_per_second=100, 8 callers: {eight:.0f}")
print(f"requests_per_second=100, max_bucket_size=20: {bucket:.0f}")
assert one < 11, one
assert eight < 11, eight
assert bucket > 50, bucket
EOF
