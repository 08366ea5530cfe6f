"""Files of five tools, written after their documented formats, on real images of the sample."""

import math

import numpy as np
import pytest

from axilla.annotation.formats import read_annotations
from axilla.annotation.rle import encode_coco
from axilla.records.roi_rectangle import Roi


def single(drawn, name, content, **options):
    """Write a file, read it, and return its one image and that image's one drawing."""
    file = read_annotations(drawn.write(name, content), **options)
    (image,) = (image for image in file.images if image.drawings)
    (drawing,) = image.drawings
    return file, image, drawing


def overlap(first, second):
    return (first & second).sum() / (first | second).sum()


def test_coco_polygon_in_two_parts(drawn):
    lesion = drawn.lesions[0]
    flat = [number for corner in lesion.corners for number in corner]
    content = drawn.coco({"segmentation": [flat, [1, 1, 5, 1, 5, 4, 1, 4]], "bbox": [0, 0, 9, 9]})
    file, image, drawing = single(drawn, "a.json", content)
    assert (file.tool, image.names, image.size_px) == ("COCO", (lesion.image,), lesion.size)
    assert (drawing.label, drawing.place) == ("lesion", "a.json, annotations[0]")
    expected = lesion.mask.copy()
    expected[1:4, 1:5] = True
    assert overlap(drawing.mask(lesion.size), expected) > 0.98
    assert drawing.roi(lesion.size).left_px == 1


@pytest.mark.parametrize("packed", [True, False])
def test_coco_run_lengths(drawn, packed):
    lesion = drawn.lesions[1]
    flat = lesion.mask.T.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff([0, *edges, flat.size]).tolist()
    assert not flat[0]
    if packed:
        counts = encode_coco(lesion.mask)
    segmentation = {"size": list(lesion.mask.shape), "counts": counts}
    content = drawn.coco({"segmentation": segmentation, "iscrowd": 1}, lesions=[lesion])
    _, _, drawing = single(drawn, "a.json", content)
    np.testing.assert_array_equal(drawing.mask(lesion.size), lesion.mask)
    assert drawing.roi(lesion.size) == lesion.roi


def test_coco_box_without_outline(drawn):
    lesion = drawn.lesions[0]
    box = [10.4, 20.0, 30.2, 40.0]
    _, _, drawing = single(drawn, "a.json", drawn.coco({"bbox": box, "segmentation": []}))
    assert not drawing.is_outlined
    assert drawing.roi(lesion.size) == Roi(10, 20, 31, 40)


def test_labelme_shapes(drawn, embedded):
    lesion = drawn.lesions[0]
    left, top = lesion.roi.left_px, lesion.roi.top_px
    right, bottom = lesion.roi.right_px, lesion.roi.bottom_px
    patch = lesion.mask[top:bottom, left:right]
    shapes = {
        "polygon": ({"points": lesion.corners}, lesion.roi, 0.98),
        "rectangle": ({"points": [[right, bottom], [left, top]]}, lesion.roi, None),
        "mask": (
            {"points": [[left, top], [right - 1, bottom - 1]], "mask": embedded(patch)},
            lesion.roi,
            1.0,
        ),
        "circle": ({"points": [[60, 50], [60, 60.5]]}, Roi(49, 39, 22, 22), None),
        "oriented_rectangle": (
            {"points": [[20, 10], [30, 20], [20, 30], [10, 20]]},
            Roi(10, 10, 20, 20),
            None,
        ),
    }
    for kind, (shape, roi, agreement) in shapes.items():
        content = drawn.labelme(lesion, {"shape_type": kind, **shape})
        file, image, drawing = single(drawn, "a.json", content)
        assert (file.tool, image.size_px, drawing.label) == ("LabelMe", lesion.size, "lesion")
        assert drawing.roi(lesion.size) == roi, kind
        assert drawing.is_outlined == (kind != "rectangle")
        if agreement is not None:
            assert overlap(drawing.mask(lesion.size), lesion.mask) >= agreement, kind


def test_labelme_shapes_of_one_group_are_one_object(drawn):
    lesion = drawn.lesions[0]
    square = {"points": [[1, 1], [5, 1], [5, 5]], "shape_type": "polygon", "group_id": 1}
    other = {"points": [[11, 11], [15, 11], [15, 15]], "shape_type": None, "group_id": 1}
    point = {"points": [[3, 3]], "shape_type": "point"}
    _, image, drawing = single(drawn, "a.json", drawn.labelme(lesion, square, other, point))
    assert drawing.roi(lesion.size) == Roi(1, 1, 14, 14)
    assert image.skipped == 1


def percent(lesion, x, y):
    return {"x": x / lesion.size[0] * 100, "y": y / lesion.size[1] * 100}


def test_label_studio_rectangle_turned_about_its_corner(drawn):
    lesion = drawn.lesions[0]
    width, height = lesion.size
    value = {
        **percent(lesion, 100, 50),
        "width": 60 / width * 100,
        "height": 20 / height * 100,
        "rotation": 0,
        "rectanglelabels": ["lesion"],
    }
    upright = drawn.label_studio(lesion, {"type": "rectanglelabels", "value": value})
    file, image, drawing = single(drawn, "a.json", [upright])
    assert (file.tool, image.size_px, drawing.label) == ("Label Studio", lesion.size, "lesion")
    assert drawing.roi(lesion.size) == Roi(100, 50, 60, 20)  # percent give back whole px
    assert lesion.image.split("/")[-1] in image.names
    turned = {"type": "rectanglelabels", "value": value | {"rotation": 30}}
    _, _, drawing = single(drawn, "a.json", [drawn.label_studio(lesion, turned)])
    cosine, sine = math.cos(math.radians(30)), math.sin(math.radians(30))
    # Clockwise on the screen: the far end of the upper side goes down, the left side goes left.
    left, right = 100 - 20 * sine, 100 + 60 * cosine
    bottom = 50 + 60 * sine + 20 * cosine
    expected = Roi(
        math.floor(left), 50, math.ceil(right) - math.floor(left), math.ceil(bottom) - 50
    )
    assert drawing.roi(lesion.size) == expected
    assert drawing.mask(lesion.size).sum() == pytest.approx(60 * 20, rel=0.03)


def test_label_studio_polygon_and_ellipse(drawn):
    lesion = drawn.lesions[1]
    points = [list(percent(lesion, x, y).values()) for x, y in lesion.corners]
    shape = {"type": "polygonlabels", "value": {"points": points, "polygonlabels": ["lesion"]}}
    _, _, drawing = single(drawn, "a.json", [drawn.label_studio(lesion, shape)])
    assert drawing.roi(lesion.size) == lesion.roi
    assert overlap(drawing.mask(lesion.size), lesion.mask) > 0.98
    width, height = lesion.size
    value = {
        **percent(lesion, 90, 80),
        "radiusX": 30 / width * 100,
        "radiusY": 10 / height * 100,
        "rotation": 90,
    }
    # A class that stands in another result of the same id, and a task that is not in a list.
    ellipse = {"type": "ellipse", "value": value}
    words = {"type": "labels", "value": {"labels": ["lesion"]}}
    task = drawn.label_studio(lesion, ellipse, words)
    _, _, drawing = single(drawn, "a.json", task)
    assert (drawing.label, drawing.roi(lesion.size)) == ("lesion", Roi(80, 50, 20, 60))


def test_label_studio_brush(drawn):
    lesion = drawn.lesions[2]
    words = np.zeros((*lesion.mask.shape, 4), dtype=np.uint8)
    words[lesion.mask] = (200, 10, 10, 255)
    # One plain chunk after another: 16 bits of length, then the numbers as they are.
    flat = words.ravel()
    header = f"{flat.size:032b}{7:05b}" + f"{15:04b}" * 4
    bits = [np.frombuffer(header.encode(), dtype=np.uint8) - ord("0")]
    for start in range(0, flat.size, 2**16):
        chunk = flat[start : start + 2**16]
        lead = f"000{len(chunk) - 1:016b}"
        bits += [np.frombuffer(lead.encode(), dtype=np.uint8) - ord("0"), np.unpackbits(chunk)]
    rle = np.packbits(np.concatenate(bits)).tolist()
    value = {"format": "rle", "rle": rle, "brushlabels": ["lesion"]}
    task = drawn.label_studio(lesion, {"type": "brushlabels", "value": value})
    _, _, drawing = single(drawn, "a.json", [task])
    np.testing.assert_array_equal(drawing.mask(lesion.size), lesion.mask)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://host/a/P%20001_us.jpg?X-Amz=3", "P 001_us.jpg"),
        ("s3://bucket/images/P001_us.jpg", "P001_us.jpg"),
        ("/data/local-files/?d=images/P001_us.jpg", "images/P001_us.jpg"),
        ("/data/upload/1/0f3e2d1c-P001_us.jpg", "P001_us.jpg"),
        ("C:\\data\\P001_us.jpg", "C:\\data\\P001_us.jpg"),
    ],
)
def test_label_studio_addresses(drawn, address, name):
    lesion = drawn.lesions[0]
    value = {"x": 1, "y": 1, "width": 5, "height": 5, "rectanglelabels": ["lesion"]}
    task = drawn.label_studio(lesion, {"type": "rectanglelabels", "value": value})
    task["data"] = {"photo": address, "patient": "7"}
    del task["file_upload"]
    _, image, _ = single(drawn, "a.json", [task])
    assert any(given == name or given.endswith(f"/{name}") for given in image.names)


def test_label_studio_leaves_out_cancelled_work(drawn):
    lesion = drawn.lesions[0]
    value = {"x": 1, "y": 1, "width": 5, "height": 5, "rectanglelabels": ["lesion"]}
    task = drawn.label_studio(lesion, {"type": "rectanglelabels", "value": value})
    task["annotations"][0]["was_cancelled"] = True
    task["predictions"] = [{"result": [{"type": "rectanglelabels", "value": value}]}]
    file = read_annotations(drawn.write("a.json", [task]))
    assert not file.images[0].drawings


def test_cvat_shapes(drawn):
    lesion = drawn.lesions[0]
    roi = lesion.roi
    window = np.s_[roi.top_px : roi.bottom_px, roi.left_px : roi.right_px]
    flat = lesion.mask[window].ravel()
    runs = np.diff([0, *(np.flatnonzero(np.diff(flat)) + 1), flat.size]).tolist()
    runs = [0, *runs] if flat[0] else runs
    points = ";".join(f"{x:.2f},{y:.2f}" for x, y in lesion.corners)
    common = 'label="lesion" source="manual" occluded="0" z_order="0"'
    shapes = {
        f'<polygon {common} points="{points}"></polygon>': (roi, 0.98),
        f'<mask {common} rle="{", ".join(map(str, runs))}" left="{roi.left_px}" '
        f'top="{roi.top_px}" width="{roi.width_px}" height="{roi.height_px}"></mask>': (roi, 1.0),
        f'<box {common} xtl="10.4" ytl="20.00" xbr="40.60" ybr="60.00"></box>': (
            Roi(10, 20, 31, 40),
            None,
        ),
        f'<box {common} xtl="100" ytl="100" xbr="140" ybr="120" rotation="90.00"></box>': (
            Roi(110, 90, 20, 40),
            None,
        ),
        f'<ellipse {common} cx="100" cy="90" rx="40" ry="20" rotation="90"></ellipse>': (
            Roi(80, 50, 40, 80),
            None,
        ),
    }
    for shape, (expected, agreement) in shapes.items():
        content = drawn.cvat((lesion, f'{shape}<tag label="benign"></tag>'), (drawn.lesions[1], ""))
        file, image, drawing = single(drawn, "annotations.xml", content)
        assert (file.tool, image.size_px, image.skipped) == ("CVAT", lesion.size, 0)
        assert drawing.label == "lesion"
        assert drawing.roi(lesion.size) == expected, shape
        if agreement is not None:
            assert overlap(drawing.mask(lesion.size), lesion.mask) >= agreement


def test_qupath_polygons_with_a_hole(drawn):
    lesion = drawn.lesions[0]
    outer = [[10, 10], [30, 10], [30, 30], [10, 30], [10, 10]]
    hole = [[15, 15], [20, 15], [20, 20], [15, 20], [15, 15]]
    far = [[40, 40], [44, 40], [44, 44], [40, 44], [40, 40]]
    several = {"type": "MultiPolygon", "coordinates": [[outer, hole], [far]]}
    point = {"type": "Point", "coordinates": [3, 4]}
    file, image, drawing = single(drawn, "P001_us.geojson", drawn.qupath(several, point))
    assert (file.tool, image.names, image.skipped) == ("QuPath", ("P001_us",), 1)
    mask = drawing.mask(lesion.size)
    assert mask.sum() == 400 - 25 + 16
    assert not mask[17, 17]
    assert drawing.roi(lesion.size) == Roi(10, 10, 34, 34)


@pytest.mark.parametrize("form", ["list", "feature", "old"])
def test_qupath_writes_single_features_and_lists(drawn, form):
    ring = [[1, 1], [9, 1], [9, 9], [1, 9], [1, 1]]
    content = drawn.qupath({"type": "Polygon", "coordinates": [ring]})
    (feature,) = content["features"]
    if form == "old":
        feature |= {"id": "PathAnnotationObject", "properties": {"isLocked": False}}
    content = [feature] if form == "list" else feature
    file, image, drawing = single(drawn, "x.json", content, image="images/P9.jpg")
    assert (file.tool, image.names) == ("QuPath", ("images/P9.jpg",))
    assert drawing.label == ("" if form == "old" else "lesion")


def test_qupath_cells_are_no_lesions(drawn):
    square = {"type": "Polygon", "coordinates": [[[1, 1], [9, 1], [9, 9], [1, 1]]]}
    path = drawn.write("x.geojson", drawn.qupath(square, objectType="cell"))
    (image,) = read_annotations(path).images
    assert (image.drawings, image.skipped) == ((), 1)
