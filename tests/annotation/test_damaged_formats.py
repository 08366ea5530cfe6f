"""Annotation files that are damaged or hostile: one typed error with every place in it."""

import json

import numpy as np
import pytest

from axilla.annotation.formats import read_annotations
from axilla.records.errors import AxillaError, CohortError

BOMB = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><annotations><image name="&c;"/></annotations>'
)
OUTSIDE = '<?xml version="1.0"?><!DOCTYPE a SYSTEM "file:///etc/hostname"><annotations/>'
UNREADABLE = {
    "empty": (b"", "no readable JSON"),
    "a picture": (b"\x89PNG\r\n\x1a\n", "no readable JSON"),
    "a ZIP archive": (b"PK\x03\x04xxxx", "ZIP archive"),
    "JSON of another kind": (b'{"hello": [1, 2]}', "JSON with 'hello'"),
    "an empty list": (b"[]", "an empty JSON list"),
    "a number": (b"42", "a single JSON value"),
    "half a file": (b'{"images": [{"id": 1', "no readable JSON"),
    "nested without end": (b"[" * 100_000 + b"]" * 100_000, "no readable JSON"),
    "nested objects": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "no readable JSON"),
    "a number of 9,000 digits": (b'{"images": [], "x": ' + b"9" * 9000 + b"}", "out of range"),
    "not UTF-8": (b'{"images": "\xff\xfe"}', "no readable JSON"),
    "entities": (BOMB.encode(), "DOCTYPE"),
    "external entities": (OUTSIDE.encode(), "DOCTYPE"),
    "XML of another kind": (b"<svg></svg>", "<svg>"),
    "half of an XML file": (b"<annotations><image", "unclosed token"),
    "an unknown encoding": (b'<?xml version="1.0" encoding="x"?><annotations/>', "encoding"),
    "XML nested without end": (b"<annotations>" * 100_000, "no element"),
    "a video": (b"<annotations><track id='0'/></annotations>", "tracks"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_no_tool_wrote_is_one_clear_error(tmp_path, name):
    content, found = UNREADABLE[name]
    path = tmp_path / "file.any"
    path.write_bytes(content)
    with pytest.raises(CohortError) as raised:
        read_annotations(path)
    (problem,) = raised.value.problems
    assert problem.place == "file.any"
    assert found in problem.found or found in problem.expected


def test_a_missing_file(tmp_path):
    with pytest.raises(CohortError, match=r"a\.json: found no such file"):
        read_annotations(tmp_path / "a.json")


def test_a_byte_order_mark_is_passed_over(drawn):
    path = drawn.write("a.json", "\N{ZERO WIDTH NO-BREAK SPACE}" + json.dumps(drawn.coco()))
    assert read_annotations(path).tool == "COCO"


def places(path):
    with pytest.raises(CohortError) as raised:
        read_annotations(path)
    return {problem.place.removeprefix(f"{path.name}, ") for problem in raised.value.problems}


def test_every_fault_of_a_coco_file_at_once(drawn):
    content = drawn.coco(
        {"segmentation": [[1, 2, 3, 4, 5]]},
        {"bbox": [1, float("nan"), 3, 4]},
        {"segmentation": {"size": [4], "counts": "0"}},
        {"bbox": [1, 2, 1e300, "wide"]},
    )
    assert places(drawn.write("a.json", content)) == {
        "annotations[0].segmentation.polygons[0]",
        "annotations[1].bbox[1]",
        "annotations[2].segmentation.RLE.size[1]",
        "annotations[3].bbox[2]",
        "annotations[3].bbox[3]",
    }
    content = drawn.coco({"bbox": [1, 2, 3, 4], "image_id": 99}, {"bbox": [1, 2, 3, 4]})
    content["annotations"][1]["category_id"] = 98
    assert places(drawn.write("a.json", content)) == {"annotations[0]", "annotations[1]"}


def test_every_fault_of_a_labelme_file_at_once(drawn, embedded):
    lesion = drawn.lesions[0]
    square = [[1, 1], [5, 5]]
    content = drawn.labelme(
        lesion,
        {"shape_type": "polygon", "points": square},
        {"shape_type": "star", "points": square},
        {"shape_type": "mask", "points": square},
        {"shape_type": "circle", "points": [[3, 3], [3, 3]]},
    )
    assert places(drawn.write("a.json", content)) == {f"shapes[{n}]" for n in range(4)}
    content = drawn.labelme(lesion, {"shape_type": "polygon", "points": [[1, None], [2], "x"]})
    assert places(drawn.write("a.json", content)) == {
        "shapes[0].points[0][1]",
        "shapes[0].points[1][1]",
        "shapes[0].points[2]",
    }
    for text in ("@@@", "AAAA", embedded(np.ones((9, 9)))[:60]):
        shape = {"shape_type": "mask", "points": square, "mask": text}
        (image,) = read_annotations(drawn.write("a.json", drawn.labelme(lesion, shape))).images
        with pytest.raises(AxillaError, match=r"base64|PNG"):
            image.drawings[0].mask(lesion.size)


def test_every_fault_of_a_label_studio_file_at_once(drawn):
    lesion = drawn.lesions[0]
    value = {"x": 1, "y": 1, "width": 5, "height": 5}
    box = {"type": "rectanglelabels", "value": value}
    tasks = [
        drawn.label_studio(
            lesion,
            box | {"value": value | {"width": -5}},
            box | {"original_width": None},
            box | {"image_rotation": 90},
            {"type": "brushlabels", "value": {"rle": [1, 256]}},
        ),
        drawn.label_studio(lesion, box) | {"data": {"a": 1}, "file_upload": None},
        {"data": "x", "annotations": 3},
    ]
    assert places(drawn.write("a.json", tasks)) == {
        "[0].annotations[0].result[0].value.width",
        "[0].annotations[0].result[1]",
        "[0].annotations[0].result[2]",
        "[0].annotations[0].result[3].value.rle[1]",
        "[1]",
        "[2].data",
        "[2].annotations",
    }


def test_every_fault_of_a_cvat_file_at_once(drawn):
    lesion = drawn.lesions[0]
    shapes = (
        '<box label="a" xtl="nan" ytl="1" xbr="2" ybr="3"/><polygon label="a" points="1,2;3"/>'
        '<mask label="a" rle="1,x" left="0" top="0" width="2" height="2"/>'
        '<ellipse label="a" cx="1" cy="1" rx="0" ry="1"/><points label="a" points="1,2"/>'
    )
    path = drawn.write("a.xml", drawn.cvat((lesion, shapes)))
    assert places(path) == {
        "image[0].box[0].xtl",
        "image[0].polygon[1].points[1][1]",
        "image[0].mask[2].rle[1]",
        "image[0].ellipse[3].rx",
    }


def test_every_fault_of_a_qupath_file_at_once(drawn):
    content = drawn.qupath(
        {"type": "Polygon", "coordinates": [[[1, 1], [2, "x"], [3, 3]]]},
        {"type": "MultiPolygon", "coordinates": []},
        None,
    )
    path = drawn.write("a.geojson", content)
    assert places(path) == {
        "features[0].geometry.Polygon.coordinates[0][1][1]",
        "features[1].geometry.MultiPolygon.coordinates",
        "features[2].geometry.object",
    }
