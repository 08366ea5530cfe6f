"""Files of annotation tools: COCO, LabelMe, Label Studio, CVAT for images, QuPath."""

from axilla.annotation.formats.sniff import AnnotationFile, read_annotations

__all__ = ["AnnotationFile", "read_annotations"]
