"""Annotation files become rois.csv: whole or not at all, and back."""

import shutil

import pandas as pd
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from axilla.annotation.annotation_import import ShapeChoice
from axilla.annotation.image_index import AmbiguousName, ImageIndex, StudyImage
from axilla.annotation.stage import import_rois
from axilla.cohort.roi_table import read_rois
from axilla.imaging.raster import decode_mask
from axilla.records.errors import CohortError
from axilla.records.roi_rectangle import Roi


def take(drawn, *files, labels=(), several="refuse", **options):
    choice = ShapeChoice(tuple(labels), several)
    return import_rois(drawn.config, drawn.root, files, choice=choice, **options)


def rows(drawn):
    return read_rois(drawn.root / "rois.csv")


def everything(drawn):
    """Every file that an import may touch, and its bytes."""
    files = [drawn.root / "rois.csv", *(drawn.root / "rois").glob("*")]
    return {file.name: file.read_bytes() for file in files if file.is_file()}


def refused(drawn, *files, **options):
    before = everything(drawn)
    with pytest.raises(CohortError) as raised:
        take(drawn, *files, **options)
    assert everything(drawn) == before
    return raised.value.problems


def box(left, top, width, height, **more):
    return {"bbox": [left, top, width, height], "segmentation": [], **more}


def test_a_rectangle_and_an_outline_of_two_tools(drawn):
    first, second = drawn.lesions[:2]
    coco = drawn.write("a.json", drawn.coco(box(5, 6, 70, 80)))
    shape = {"shape_type": "polygon", "points": second.corners}
    labelme = drawn.write("b.json", drawn.labelme(second, shape))
    table = (drawn.root / "cohort.csv").read_bytes()
    imported = take(drawn, coco, labelme)
    assert (imported.rows, imported.replaced, imported.notes) == (2, (), ())
    one, two = rows(drawn).values()
    assert (one.image, one.roi, one.mask, one.label) == (
        first.image,
        Roi(5, 6, 70, 80),
        None,
        "lesion",
    )
    assert (two.image, two.roi, two.source) == (second.image, second.roi, "b.json (LabelMe)")
    mask = decode_mask(two.mask)
    assert (mask & second.mask).sum() / (mask | second.mask).sum() > 0.98
    assert two.mask.parent == drawn.root / "rois"
    assert (drawn.root / "cohort.csv").read_bytes() == table


def test_later_files_and_later_imports_win(drawn):
    first, second = drawn.lesions[:2]
    shape = {"shape_type": "polygon", "points": first.corners}
    take(drawn, drawn.write("a.json", drawn.labelme(first, shape)))
    (old,) = (drawn.root / "rois").iterdir()
    b = drawn.write("b.json", drawn.coco(box(1, 2, 30, 40), box(3, 4, 50, 60)))
    c = drawn.write("c.json", drawn.coco(box(9, 9, 9, 9)))
    imported = take(drawn, b, c)
    assert imported.replaced == (first.image,)
    assert imported.notes == (
        f"{first.image} is in b.json (COCO) and c.json (COCO): the last is used",
    )
    found = rows(drawn)
    assert found[first.image].roi == Roi(9, 9, 9, 9)
    assert found[second.image].roi == Roi(3, 4, 50, 60)
    assert not old.exists()


def test_masks_that_somebody_put_there_stay(drawn):
    image = drawn.lesions[0].image
    mine = drawn.root / "rois" / "mine.png"
    mine.parent.mkdir()
    mine.write_bytes((drawn.root / image.replace(".jpg", "_mask.png")).read_bytes())
    text = f"image,roi_left,roi_top,roi_width,roi_height,mask\n{image},1,1,9,9,rois/mine.png\n"
    (drawn.root / "rois.csv").write_text(text)
    take(drawn, drawn.write("a.json", drawn.coco(box(1, 2, 30, 40))))
    assert mine.exists()


def test_a_dry_run_writes_nothing(drawn):
    shape = {"shape_type": "polygon", "points": drawn.lesions[0].corners}
    path = drawn.write("a.json", drawn.labelme(drawn.lesions[0], shape))
    imported = take(drawn, path, dry_run=True)
    assert (len(imported.rois), imported.rows) == (1, 1)
    assert everything(drawn) == {}


def test_classes_need_a_choice(drawn):
    content = drawn.coco(box(1, 2, 30, 40), box(3, 4, 50, 60, category_id=4))
    path = drawn.write("a.json", content)
    (problem,) = refused(drawn, path)
    assert problem.found == "classes lesion (1), node (1)"
    assert "--label" in problem.remedy
    (problem,) = refused(drawn, path, labels=["tumour"])
    assert "lesion (1), node (1)" in problem.expected
    take(drawn, path, labels=["Lesion"])
    assert list(rows(drawn)) == [drawn.lesions[0].image]
    take(drawn, path, labels=["lesion", "node"])
    assert len(rows(drawn)) == 2


def test_several_shapes_need_a_choice(drawn):
    image = drawn.lesions[0].image
    small, large = box(1, 2, 4, 4), box(20, 30, 40, 50, image_id=0)
    path = drawn.write("a.json", drawn.coco(small, large))
    (problem,) = refused(drawn, path)
    assert (problem.place, problem.expected) == (image, "one lesion")
    assert "a.json, annotations[0], a.json, annotations[1]" in problem.found
    take(drawn, path, several="largest")
    assert (rows(drawn)[image].roi, rows(drawn)[image].mask) == (Roi(20, 30, 40, 50), None)
    take(drawn, path, several="union")
    union = rows(drawn)[image]
    assert union.roi == Roi(1, 2, 59, 78)
    assert decode_mask(union.mask).sum() == 4 * 4 + 40 * 50


def test_geometry_is_checked_against_the_image(drawn):
    width, height = drawn.lesions[0].size
    files = [
        drawn.write("a.json", drawn.coco(box(width - 5, 2, 7.5, 4))),
        drawn.write("b.json", drawn.coco({}, box(5, 5, -3, 4))),
    ]
    problems = refused(drawn, *files)
    assert [problem.place for problem in problems] == [
        f"a.json, annotations[0] on {drawn.lesions[0].image}",
        f"b.json, annotations[1] on {drawn.lesions[1].image}",
    ]
    assert f"{width} x {height} px" in problems[0].expected
    assert "no area" in problems[1].found
    take(drawn, drawn.write("c.json", drawn.coco(box(width - 5, 2, 5.9, 4))))
    assert rows(drawn)[drawn.lesions[0].image].roi == Roi(width - 5, 2, 5, 4)


def test_a_resized_copy_is_noticed(drawn):
    content = drawn.coco(box(1, 2, 3, 4))
    content["images"][0] |= {"width": 100, "height": 50}
    (problem,) = refused(drawn, drawn.write("a.json", content))
    assert problem.place == "a.json, images[0]"
    assert "100 x 50 px" in problem.found
    assert "resized" in problem.remedy


def test_a_mask_of_another_size_is_noticed(drawn):
    width, height = drawn.lesions[0].size
    for size in ([height, width - 1], [height + 1, width], [5000, 5]):
        segmentation = {"size": size, "counts": [0, size[0] * size[1]]}
        path = drawn.write("a.json", drawn.coco({"segmentation": segmentation}))
        (problem,) = refused(drawn, path)
        assert f"a mask of {width} x {height} px" in problem.expected


def test_damaged_runs_and_thin_outlines_have_their_place(drawn):
    size = list(drawn.lesions[0].mask.shape)
    content = drawn.coco(
        {"segmentation": {"size": size, "counts": "0PPPP"}},
        {"segmentation": [[10, 10, 90, 10.01, 90, 10.02]]},
    )
    problems = refused(drawn, drawn.write("a.json", content))
    assert [problem.place.split(" on ")[0] for problem in problems] == [
        "a.json, annotations[0]",
        "a.json, annotations[1]",
    ]
    assert "no pixel inside" in problems[1].found


def test_every_problem_of_every_file_at_once(drawn):
    broken = drawn.write("a.json", "{")
    faulty = drawn.write("b.json", drawn.coco(box(1, 2, "x", "y")))
    problems = refused(drawn, broken, faulty, drawn.root / "c.json")
    assert [problem.place.split(",")[0] for problem in problems] == [
        "a.json",
        "b.json",
        "b.json",
        "c.json",
    ]


def test_images_the_table_does_not_list_are_named(drawn):
    content = drawn.coco(box(1, 2, 3, 4), box(1, 2, 3, 4))
    content["images"][1]["file_name"] = "other.png"
    imported = take(drawn, drawn.write("a.json", content))
    assert imported.notes == ("a.json: not in the table: other.png",)
    content["images"][0]["file_name"] = "another.png"
    (problem,) = refused(drawn, drawn.write("a.json", content))
    assert "another.png, other.png" in problem.found


def test_nothing_drawn_is_an_error(drawn):
    point = {"shape_type": "point", "points": [[1, 1]]}
    path = drawn.write("a.json", drawn.labelme(drawn.lesions[0], point))
    (problem,) = refused(drawn, path)
    assert problem.found == "no shape with an area"


def test_qupath_is_named_by_its_file_or_by_hand(drawn):
    first, second = drawn.lesions[:2]
    ring = [[1, 1], [9, 1], [9, 9], [1, 9], [1, 1]]
    content = drawn.qupath({"type": "Polygon", "coordinates": [ring]})
    stem = first.image.split("/")[-1].removesuffix(".jpg")
    take(drawn, drawn.write(f"{stem}.geojson", content))
    take(drawn, drawn.write("export.geojson", content), image=second.image.upper())
    assert list(rows(drawn)) == [first.image, second.image]
    (problem,) = refused(drawn, drawn.write("export.geojson", content))
    assert "--image" in problem.remedy
    (problem,) = refused(drawn, drawn.root / "export.geojson", image="x.png")
    assert problem.place == "--image"


def test_names_are_paths_then_file_names_then_stems():
    texts = ["a/x.png", "b\\x.png", "c/Y.PNG", "z.tif", "z.png"]
    images = [StudyImage(text, None, n) for n, text in enumerate(texts)]
    index = ImageIndex(images)

    def find(*names):
        found = index.find(names)
        return found and found.text

    assert find("a/X.png") == "a/x.png"
    assert find("b/x.png") == "b\\x.png"
    assert find("D:\\study\\a\\x.png") == "a/x.png"
    assert find("y.png") == "c/Y.PNG"
    assert find("/somewhere/y") == "c/Y.PNG"
    assert find("z.png") == "z.png"
    assert find("nowhere.png", "y.png") == "c/Y.PNG"
    assert find("nowhere.png", "") is None
    for name in ("x.png", "x", "other/x.png", "z"):
        with pytest.raises(AmbiguousName) as raised:
            find(name)
        assert len(raised.value.texts) == 2


def test_an_ambiguous_name_is_an_error_with_the_candidates(drawn):
    table = pd.read_csv(drawn.root / "cohort.csv", dtype=str, keep_default_na=False)
    first = drawn.lesions[0].image
    other = f"other/{first.split('/')[-1]}"
    table.loc[0, "ultrasound"] += f";{other}"
    for column in table.columns[table.columns.str.startswith("roi_")]:
        table.loc[0, column] += ";1"
    table.to_csv(drawn.root / "cohort.csv", index=False)
    content = drawn.coco(box(1, 2, 3, 4))
    content["images"][0]["file_name"] = first.split("/")[-1]
    (problem,) = refused(drawn, drawn.write("a.json", content))
    assert problem.place == "a.json, images[0]"
    assert f"{first}, {other}" in problem.found


def test_a_damaged_rois_csv_is_not_overwritten(drawn):
    (drawn.root / "rois.csv").write_text("image,roi_left\na.png,1\n")
    problems = refused(drawn, drawn.write("a.json", drawn.coco(box(1, 2, 3, 4))))
    assert problems[0].place == "rois.csv, row 1"


def test_rows_of_other_images_stay(drawn):
    text = "image,roi_left,roi_top,roi_width,roi_height\ngone.png,1,2,3,4\n"
    (drawn.root / "rois.csv").write_text(text)
    take(drawn, drawn.write("a.json", drawn.coco(box(1, 2, 3, 4))))
    assert list(rows(drawn)) == [drawn.lesions[0].image, "gone.png"]


def test_lesions_on_dicom_images(drawn):
    source = get_testdata_file("examples_rgb_color.dcm")
    shutil.copy(source, drawn.root / "images" / "scan.dcm")
    table = pd.read_csv(drawn.root / "cohort.csv", dtype=str, keep_default_na=False)
    table.loc[0, "ultrasound"] = "images/scan.dcm"
    table.to_csv(drawn.root / "cohort.csv", index=False)
    height, width = dcmread(source).pixel_array.shape[:2]
    content = drawn.labelme(
        drawn.lesions[0], {"shape_type": "rectangle", "points": [[5, 6], [50, 60]]}
    )
    content |= {"imagePath": "scan.dcm", "imageWidth": width, "imageHeight": height}
    take(drawn, drawn.write("a.json", content))
    assert rows(drawn)["images/scan.dcm"].roi == Roi(5, 6, 45, 54)
    content |= {"imageWidth": width + 1}
    (problem,) = refused(drawn, drawn.write("a.json", content))
    assert f"{width} x {height} px, as images/scan.dcm has" in problem.expected
