"""study.toml: every setting of a study, its default stated once, unknown keys refused."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from axilla.config.sections import (
    AcceptedFinding,
    Code,
    CohortSection,
    ConfigSection,
    EligibilitySection,
    Names,
    ReaderSection,
    ReviewSection,
    TilesSection,
)
from axilla.records.types import Modality

Fraction = Annotated[float, Field(gt=0, lt=1)]
THRESHOLD_FORMS = ("half", "youden", "sensitivity=0.95", "specificity=0.8", "net_benefit=0.2")
THRESHOLD_PATTERN = r"^(half|youden|(sensitivity|specificity|net_benefit)=0?\.\d*[1-9]\d*)$"
ThresholdRule = Annotated[str, Field(pattern=THRESHOLD_PATTERN)]
"""half, youden, or a name and a share above 0 and below 1."""


def _ascending(span: tuple[float, float]) -> tuple[float, float]:
    if span[0] >= span[1]:
        message = "two shares, the lower first"
        raise ValueError(message)
    return span


class StudySection(ConfigSection):
    """What is predicted, in whom."""

    name: str = Field("study", description="Title of the report.")
    about: str = Field("", description="What the cohort is and is not; the report opens with it.")
    outcome: str = Field(description="Column of the outcome.")
    positive: Code = Field("1", description="Value of the outcome column that means positive.")
    seed: int = Field(2025, ge=0, description="The one seed: splits, initial weights, batches.")


class PreprocessingSection(ConfigSection):
    """How pixels become network input (paper 2.3.2)."""

    image_size_px: int = Field(224, ge=32, description="Side of the square network input.")
    roi_margin: float = Field(
        0.25, ge=0, le=2, description="Context kept around the ROI, as a share of its sides."
    )
    stain: Literal["none", "macenko", "reinhard"] = Field(
        "none", description="Stain normalisation of pathology."
    )
    harmonise: bool = Field(
        default=True, description="Ultrasound: per-image z-score, then histogram equalisation."
    )
    outside_mask: float = Field(
        0.4,
        ge=0,
        le=1,
        description="Mask-guided ultrasound: brightness kept outside the lesion; 1 = no guidance.",
    )
    crops: int = Field(
        0, ge=0, le=32, description="Random crops embedded beside image and mirror image."
    )
    mirror: bool = Field(
        default=True, description="Predict from image and mirror image, not from the image alone."
    )
    crop_min_area: float = Field(
        0.6, gt=0, le=1, description="Smallest random resized crop, as a share of the image."
    )


class ModelsSection(ConfigSection):
    """Which models are compared."""

    ultrasound: Names = Field((), description="Ultrasound networks, by registered name.")
    pathology: Names = Field((), description="Pathology networks, by registered name.")
    clinical: Names = Field(("logistic",), description="Models of the clinical columns.")
    fusion: Names = Field((), description="Fusion strategies, by registered name.")
    fuse: tuple[Modality, ...] = Field(
        ("ultrasound", "pathology"), description="Modalities that fusion combines, two or three."
    )
    pooling: Literal["mean", "attention"] = Field(
        "mean",
        description="How several images of a patient become one: their mean, or gated attention "
        "that is learnt with the head.",
    )
    trivial: bool = Field(
        default=True,
        description="Add a baseline of colour, brightness and size per image modality.",
    )
    training: Literal["frozen", "finetune"] = Field(
        "frozen", description="Train heads on fixed pretrained networks, or the networks too."
    )
    fusion_training: Literal["head", "joint"] = Field(
        "head",
        description="Train fusion on the fold's embeddings, or together with its networks.",
    )
    weights: Literal["pretrained", "none"] = Field(
        "pretrained", description="none = start networks from random weights."
    )


class OptimisationSection(ConfigSection):
    """How one model is optimised; what is left out stays as the model's own file has it."""

    optimiser: Literal["adam", "adamw", "sgd"] | None = Field(
        None, description="sgd: with momentum 0.9."
    )
    rate: float | None = Field(None, gt=0, description="First learning rate, at rate factor 1.")
    halve_every: int | None = Field(None, ge=1, description="Epochs after which the rate halves.")
    weight_decay: float | None = Field(None, ge=0, description="Default: the optimiser's.")
    schedule: Literal["halving", "one_cycle"] | None = Field(
        None, description="one_cycle: the rate rises to its peak, then falls along a cosine."
    )


class TrainingSection(ConfigSection):
    """How long heads and networks train, and how where that differs from the models' own."""

    head_epochs: int = Field(40, ge=1, description="Epochs of a head on fixed embeddings.")
    network_epochs: int = Field(30, ge=1, description="Epochs of a network on images.")
    network_size_px: int | None = Field(
        None, ge=32, description="Input side of trained networks; default: image_size_px."
    )
    reduce_to: int = Field(
        64, ge=1, description="Principal components kept of a fixed embedding, per training fold."
    )
    modality_dropout: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of fusion's training cases that lose one modality at each step.",
    )
    optimisation: dict[str, OptimisationSection] = Field(
        default_factory=dict, description="Optimiser, rate and schedule of a model, by its name."
    )

    def of(self, name: str) -> OptimisationSection:
        """Return what study.toml says of one model's optimisation."""
        return self.optimisation.get(name, OptimisationSection())


class SearchSection(ConfigSection):
    """The grid, searched inside the training folds only."""

    rate_factors: tuple[float, ...] = Field(
        (1.0,), min_length=1, description="Learning rates of heads, times each model's own rate."
    )
    batch_sizes: tuple[int, ...] = Field((16,), min_length=1, description="Batch sizes of heads.")
    network_rate_factors: tuple[float, ...] = Field(
        (1.0,), min_length=1, description="As rate_factors, for networks trained on images."
    )
    network_batch_sizes: tuple[int, ...] = Field(
        (16,), min_length=1, description="As batch_sizes, for networks trained on images."
    )


class ValidationSection(ConfigSection):
    """How performance is estimated; every scheme splits by patient and group."""

    scheme: Literal["nested_cv", "holdout", "site"] = Field(
        "nested_cv", description="site = leave one site out."
    )
    folds: int = Field(5, ge=2, description="Outer folds of nested_cv.")
    inner_folds: int = Field(3, ge=2, description="Folds inside each training fold.")
    repeats: int = Field(1, ge=1, description="Repetitions of the whole scheme with new splits.")
    test_share: Fraction = Field(0.2, description="Share of patients in the holdout's test set.")
    threshold: ThresholdRule = Field(
        "youden",
        examples=list(THRESHOLD_FORMS),
        description="Operating threshold, chosen on inner folds: half (0.5), youden, "
        "sensitivity=S, specificity=S, or net_benefit=P with P the threshold probability.",
    )
    recalibration: Literal["none", "platt", "isotonic"] = Field(
        "none", description="Map to calibrated probabilities, fitted on inner folds."
    )


class EvaluationSection(ConfigSection):
    """What is reported beside the metrics; none of it changes a prediction."""

    subgroups: Names = Field((), description="Columns whose levels are also evaluated apart.")
    bands: dict[str, tuple[float, ...]] = Field(
        default_factory=dict,
        description="Cut points of a numeric subgroup column, as age = [40, 50]; "
        "default: its median.",
    )
    smallest_subgroup: int = Field(
        10, ge=1, description="Subgroups with fewer patients of a class are marked as small."
    )
    table1: Names = Field((), description="Columns of Table 1; default: [clinical] and the site.")
    decision_range: Annotated[tuple[Fraction, Fraction], AfterValidator(_ascending)] = Field(
        (0.05, 0.95), description="Threshold probabilities that the decision curve spans."
    )
    learning_shares: tuple[Fraction, ...] = Field(
        (0.3, 0.45, 0.6, 0.8),
        min_length=1,
        description="Shares of the training patients that the learning curve trains on, below 1.",
    )
    gallery: int = Field(
        4,
        ge=0,
        le=50,
        description="False positives, and false negatives, whose images become part of "
        "report.html; 0 = no images of patients in the report.",
    )


class ExplanationSection(ConfigSection):
    """Heatmaps of out-of-fold models, and how their truthfulness is tested."""

    model: str = Field(
        "multilayer",
        description="Fusion strategy that is explained; if the study trains none of this name, "
        "what each fold chose.",
    )
    method: Literal["gradcam", "layercam", "integrated"] = Field(
        "gradcam", description="Transformers are mapped by attention rollout instead of a CAM."
    )
    patients: Annotated[int, Field(ge=0)] | Literal["report", "all"] = Field(
        "report",
        description='Whose images are mapped: "report" = those whom the report shows and on whom '
        'the maps are tested; "all"; or a number of patients drawn at random. `axilla explain` '
        'maps all where this says "report".',
    )
    images: int = Field(
        4, ge=1, description="Most images of a bag that are mapped, those of most attention."
    )
    faithfulness_cases: int = Field(
        16, ge=0, description="Patients on whom the maps' truthfulness is tested; 0 = not tested."
    )

    @field_validator("patients", mode="before")
    @classmethod
    def _as_written_before(cls, value: object) -> object:
        """Null is what older results say where all patients were explained."""
        if value is None:
            return "all"
        named = isinstance(value, str) and value in {"report", "all"}
        counted = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        if not named and not counted:
            message = '"report", "all" or a number of patients from 0'
            raise ValueError(message)
        return value


class ComputeSection(ConfigSection):
    """Where the work runs."""

    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="Of training steps on images; auto = bfloat16 where it is native."
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto = a GPU if any.")
    jobs: int = Field(0, ge=0, description="Processes that train networks; 0 = one per core.")
    engine: Literal["local", "ray"] = Field(
        "local", description="Processes of this machine, or tasks on a Ray cluster."
    )
    address: str = Field(
        "auto",
        pattern=r"^(auto|local|[^\s:/]+:[0-9]+)$",
        examples=["auto", "local", "node1:6379"],
        description="Ray cluster as host:port; auto = the one running here, else a new one.",
    )
    gpus_per_trial: float = Field(
        1.0, gt=0, description="Share of a GPU that a trial takes on a Ray cluster."
    )
    trial_retries: int = Field(
        3, ge=0, description="How often a trial starts again whose Ray node was lost."
    )


class StudyConfig(ConfigSection):
    """A whole study.toml, its preset already merged in."""

    preset: str = Field("quick", description="Named defaults under the explicit settings.")
    study: StudySection
    cohort: CohortSection = CohortSection()
    eligibility: EligibilitySection = EligibilitySection()
    accept: tuple[AcceptedFinding, ...] = Field(
        (), description="Findings that were looked at and let stand."
    )
    tiles: TilesSection = TilesSection()
    clinical: dict[str, Literal["number", "category"]] = Field(
        default_factory=dict, description="Clinical columns and what they hold."
    )
    reader: ReaderSection | None = None
    preprocessing: PreprocessingSection = PreprocessingSection()
    models: ModelsSection = ModelsSection()
    training: TrainingSection = TrainingSection()
    search: SearchSection = SearchSection()
    validation: ValidationSection = ValidationSection()
    evaluation: EvaluationSection = EvaluationSection()
    review: ReviewSection = ReviewSection()
    explanation: ExplanationSection = ExplanationSection()
    compute: ComputeSection = ComputeSection()
