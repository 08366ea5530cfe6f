"""Run by the interpreter that has onnxruntime: embed images.npy; print processor seconds as JSON.

Arguments: folder with network.pt2 and images.npy, to which network.onnx and embeddings.npy are
written.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
import torch

BATCH = 8


def main() -> None:
    folder = Path(sys.argv[1])
    network = folder / "network.onnx"
    if not network.is_file():
        program = torch.export.load(folder / "network.pt2")
        torch.onnx.export(program, dynamo=True, verbose=False).save(str(network))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
    images = np.load(folder / "images.npy")
    (given,) = session.get_inputs()
    session.run(None, {given.name: images[:BATCH]})  # not measured
    start = time.process_time()
    found = [
        session.run(None, {given.name: images[first : first + BATCH]})[0]
        for first in range(0, len(images), BATCH)
    ]
    seconds = time.process_time() - start
    np.save(folder / "embeddings.npy", np.concatenate(found))
    print("RESULT " + json.dumps({"processor_s": seconds, "version": onnxruntime.__version__}))


if __name__ == "__main__":
    main()
