"""Sends many requests from several clients at once; runs in the server's environment, with a package's own client.py.

    python triton_requests.py PACKAGE MODEL PROTOCOL URL EXPECTED.npz REQUESTS CLIENTS [shared]

EXPECTED.npz holds `images` [N, B, ..], and for each output K of the model `output_K` [N, B, ..]. What came back is
printed as JSON: requests, errors (the first few), and how many answers were others than expected. Labels have to be
equal; confidences may differ by 1 of 255, for joined requests are rounded in another order.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np

_START_TIMEOUT_S = 60.0


def main() -> None:
    """Send, compare, print."""
    package, model, protocol, url, expected, requests, clients, *shared = sys.argv[1:]
    sys.path.insert(0, package)
    client = importlib.import_module("client")
    facts = json.loads((Path(package) / "client.json").read_text(encoding="utf-8"))[model]
    arrays = np.load(expected)
    images, outputs = arrays["images"], [arrays[f"output_{index}"] for index in range(len(facts["outputs"]))]
    errors: list[str] = []
    wrong: list[int] = []
    sent: list[int] = []
    begun = threading.Barrier(int(clients), timeout=_START_TIMEOUT_S)

    def work(first: int) -> None:
        server: Any = client.Server(url, protocol, model, facts, images.shape[1])
        with contextlib.ExitStack() as stack:
            stack.callback(server.close)
            if shared:
                stack.enter_context(server.shared_memory())
            begun.wait()
            for number in range(first, int(requests), int(clients)):
                which = number % len(images)
                sent.append(number)
                try:
                    answers = server.infer(images[which])
                except Exception as error:
                    errors.append(f"{type(error).__name__}: {error}")
                    continue
                labels, *confidences = [
                    np.abs(answer.astype(np.int64) - output[which]).max()
                    for answer, output in zip(answers, outputs, strict=True)
                ]
                if labels > 0 or any(off > 1 for off in confidences):
                    wrong.append(number)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(int(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps({"requests": len(sent), "errors": len(errors), "first": errors[:3], "wrong": len(wrong)}))


if __name__ == "__main__":
    main()
