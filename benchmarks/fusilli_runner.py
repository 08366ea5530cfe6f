"""Run by fusilli's own interpreter: train its models on given embeddings; print seconds as JSON.

Of each model: `whole`, the whole call; `fitting`, its steps alone, without setting up, validation,
logging of epochs and figures; `parameters` of one model.

Arguments: folder with one.csv, two.csv and folds.json; epochs, batch size, threads.
"""

import json
import logging
import shutil
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

import torch  # noqa: E402
from fusilli.data import prepare_fusion_data  # noqa: E402
from fusilli.fusionmodels.tabularfusion.channelwise_att import (  # noqa: E402
    TabularChannelWiseMultiAttention,
)
from fusilli.fusionmodels.tabularfusion.concat_data import ConcatTabularData  # noqa: E402
from fusilli.fusionmodels.tabularfusion.concat_feature_maps import (  # noqa: E402
    ConcatTabularFeatureMaps,
)
from fusilli.train import train_and_save_models  # noqa: E402
from fusilli.utils import training_utils  # noqa: E402
from lightning.pytorch.callbacks import EarlyStopping  # noqa: E402

MODELS = (ConcatTabularData, TabularChannelWiseMultiAttention, ConcatTabularFeatureMaps)


class Stopwatch(EarlyStopping):
    """Never stops, as its own would end some folds earlier than ours; times what is training."""

    fitting = 0.0

    def on_train_epoch_start(self, *_: object) -> None:
        self.since = time.perf_counter()

    def on_validation_start(self, trainer: Any, *_: object) -> None:
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            Stopwatch.fitting += time.perf_counter() - self.since


def main(folder: Path, *, epochs: int, batch_size: int, threads: int) -> None:
    torch.set_num_threads(threads)
    folds = json.loads((folder / "folds.json").read_text(encoding="utf-8"))
    # In k-fold it takes no setting for its early stopping.
    training_utils.EarlyStopping = partial(_unstopped, Stopwatch)
    paths = {"tabular1": folder / "one.csv", "tabular2": folder / "two.csv", "image": ""}
    outputs = {name: str(folder / name) for name in ("checkpoints", "figures", "losses")}
    for path in outputs.values():
        shutil.rmtree(path, ignore_errors=True)
        Path(path).mkdir()
    report = {}
    for model in MODELS:
        data = prepare_fusion_data(
            prediction_task="binary",
            fusion_model=model,
            data_paths={key: str(path) for key, path in paths.items()},
            output_paths=outputs,
            kfold=True,
            num_folds=len(folds),
            own_kfold_indices=[tuple(fold) for fold in folds],
            batch_size=batch_size,
        )
        Stopwatch.fitting, start = 0.0, time.perf_counter()
        trained = train_and_save_models(
            data_module=data,
            fusion_model=model,
            enable_checkpointing=False,
            max_epochs=epochs,
        )
        report[model.__name__] = {
            "whole": time.perf_counter() - start,
            "fitting": Stopwatch.fitting,
            "parameters": sum(p.numel() for p in trained[0].model.parameters()),
            "epochs": trained[0].trainer.current_epoch,
        }
    sys.stdout.write("\nRESULT " + json.dumps(report) + "\n")


def _unstopped(make: Callable[..., Any], **settings: object) -> object:
    return make(**settings | {"patience": 10**6})


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[2:]]
    main(Path(sys.argv[1]), epochs=numbers[0], batch_size=numbers[1], threads=numbers[2])
