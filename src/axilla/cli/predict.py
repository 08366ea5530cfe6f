"""`axilla predict`: a bundle on one case or on a whole cohort."""

from pathlib import Path
from typing import Annotated

import typer

from axilla.cli.console import out, progress, reporting
from axilla.records.errors import BundleError, ConfigError, Problem
from axilla.records.patients import ClinicalValue, ImageFile, Patient
from axilla.records.roi_rectangle import Roi

_ROI_NUMBERS = 4


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("predict")(predict)


def predict(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle.axilla.")],
    ultrasound: Annotated[
        list[Path] | None, typer.Option(help="Ultrasound image(s) of the case.")
    ] = None,
    roi: Annotated[str | None, typer.Option(metavar="L,T,W,H", help="Lesion box, px.")] = None,
    mask: Annotated[Path | None, typer.Option(help="Lesion mask of the ultrasound image.")] = None,
    frame: Annotated[
        int | None,
        typer.Option(min=1, help="Frame of a DICOM clip, from 1; default: the sharpest."),
    ] = None,
    pathology: Annotated[
        list[Path] | None, typer.Option(help="Pathology image(s) or whole slide(s) of the case.")
    ] = None,
    mpp: Annotated[
        float | None,
        typer.Option(help="Micrometres per pathology pixel, if the file does not say.", min=0.01),
    ] = None,
    values: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A clinical value.")
    ] = None,
    cohort: Annotated[
        Path | None, typer.Option(help="Predict every row of this table instead.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--out", help="CSV to write with --cohort.")
    ] = None,
    study: Annotated[
        Path | None,
        typer.Option(help="Study folder whose headers, codes and drawn ROIs --cohort uses."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Predict with a bundle: one case from its files, or a whole cohort from its table.

    Example: `axilla predict results/bundle.axilla --ultrasound us.png --roi 120,80,200,150
    --pathology he.png`
    """
    with reporting():
        with progress.activity("Loading the model"):
            from axilla.cli import case_prediction  # noqa: PLC0415 - torch is slow to import

            predictor = case_prediction.open_predictor(bundle)
        if cohort is not None:
            if any((ultrasound, roi, mask, frame, pathology, mpp, values)) or output is None:
                raise ConfigError(
                    "--cohort stands alone and needs --out: the table names each case's files."
                )
            from axilla.cli.cohort_prediction import predict_cohort  # noqa: PLC0415 - pandas

            predict_cohort(predictor, cohort, output, bundle=bundle, study=study)
            out.print(f"Predictions: {output}")
            return
        case = _case(
            _ultrasound(ultrasound or [], roi=roi, mask=mask, frame=frame),
            [ImageFile(path, mpp=mpp) for path in pathology or []],
            values or [],
        )
        case_prediction.predict_case(predictor, case, as_json=as_json)


def _ultrasound(
    paths: list[Path], *, roi: str | None, mask: Path | None, frame: int | None
) -> list[ImageFile]:
    if (roi or mask or frame) and len(paths) != 1:
        raise ConfigError("--roi, --mask and --frame belong to exactly one --ultrasound image.")
    box = _roi(roi) if roi else None
    return [ImageFile(path, roi=box, mask=mask, frame=frame) for path in paths]


def _case(ultrasound: list[ImageFile], pathology: list[ImageFile], values: list[str]) -> Patient:
    files = [file.path for file in (*ultrasound, *pathology)]
    masks = [file.mask for file in ultrasound if file.mask]
    if missing := [path for path in (*files, *masks) if not path.is_file()]:
        raise BundleError(
            [Problem(str(p), "no such file", "an image", "Check the path.") for p in missing]
        )
    return Patient(
        patient_id="case",
        label=None,
        group="case",
        ultrasound=tuple(ultrasound),
        pathology=tuple(pathology),
        clinical=dict(map(_value, values)),
    )


def _roi(text: str) -> Roi:
    numbers = [part.strip() for part in text.split(",")]
    if len(numbers) != _ROI_NUMBERS or not all(part.lstrip("-").isdigit() for part in numbers):
        raise ConfigError(
            Problem(
                "--roi", repr(text), "left,top,width,height in px", "For example 120,80,200,150."
            )
        )
    left, top, width, height = map(int, numbers)
    return Roi(left, top, width, height)


def _value(setting: str) -> tuple[str, ClinicalValue]:
    name, equals, value = setting.partition("=")
    if not equals or not name.strip():
        raise ConfigError(Problem("--set", repr(setting), "NAME=VALUE", "For example age=53."))
    return name.strip(), value.strip() or None
