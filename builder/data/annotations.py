"""Plain functions that read boxes from PASCAL VOC's XML and COCO's JSON; copied into the exported ``train.py``.

Both give pictures as ``{"file", "width", "height", "objects": [(class name, (left, top, right, bottom))]}``, in pixels,
and sentences on whatever could not be used; the rest stays usable.
"""

from __future__ import annotations

from typing import Any


def usable_box(
    box: tuple[float, float, float, float], width: float, height: float, where: str, found: list[str]
) -> tuple[float, float, float, float] | None:
    """The box inside its picture, or None where nothing of it is left; `found` gets a sentence if it had to change."""
    left, top, right, bottom = box
    shown = f"{left:g}, {top:g} to {right:g}, {bottom:g}"
    if not all(abs(value) < 1e9 for value in box):
        found.append(f"{where}: its box is not made of numbers that a picture has, so it is left out.")
        return None
    if right <= left or bottom <= top:
        found.append(f"{where}: its box {shown} has no area, so it is left out.")
        return None
    inside = (max(left, 0.0), max(top, 0.0), min(right, width), min(bottom, height))
    if inside[2] <= inside[0] or inside[3] <= inside[1]:
        found.append(f"{where}: its box {shown} lies outside the picture of {width:g}×{height:g}, so it is left out.")
        return None
    if inside != box:
        found.append(f"{where}: its box {shown} reaches beyond the picture of {width:g}×{height:g} and is cut to it.")
    return inside


def read_voc(content: bytes, name: str, classes: tuple[str, ...] = ()) -> tuple[dict[str, Any] | None, list[str]]:
    """One picture's VOC annotation. With `classes`, objects of other classes are left out and told.

    Declarations of documents and entities are refused before anything is expanded. The picture is None
    when the file cannot be read at all.
    """
    from xml.parsers import expat

    problems: list[str] = []
    objects: list[dict[str, Any]] = []
    values: dict[str, str] = {}
    path: list[str] = []
    text: list[str] = []
    parser = expat.ParserCreate()

    def refuse(*arguments: Any) -> None:
        raise ValueError(
            f"{name}, line {parser.CurrentLineNumber}: it declares a document type or entities, as no annotation needs. "
            "It is refused; remove the declaration."
        )

    def start(tag: str, attributes: dict[str, str]) -> None:
        if len(path) >= 20:
            raise ValueError(f"{name}, line {parser.CurrentLineNumber}: it is nested too deeply for an annotation.")
        path.append(tag)
        text.clear()
        if path[1:] == ["object"]:
            objects.append({"line": parser.CurrentLineNumber})

    def end(tag: str) -> None:
        said = "".join(text).strip()
        inside = path[1:]
        if inside[:1] == ["object"] and objects:
            if inside[1:] == ["name"]:
                objects[-1]["name"] = said
            elif inside[1:2] == ["bndbox"] and len(inside) == 3:
                objects[-1][tag] = said
        elif inside == ["filename"] or inside[:1] == ["size"]:
            values[tag] = said
        path.pop()
        text.clear()

    handler: Any = refuse
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = parser.ExternalEntityRefHandler = handler
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text.append
    try:
        parser.Parse(content, True)
    except ValueError as error:
        return None, [str(error)]
    except expat.ExpatError as error:
        return None, [
            f"{name}, line {error.lineno}: it is no whole XML ({expat.ErrorString(error.code)}); it is left out."
        ]
    try:
        width, height = (float(values[side]) for side in ("width", "height"))
        if not (0 < width < 1e6 and 0 < height < 1e6):
            raise ValueError
    except (KeyError, ValueError):
        return None, [f"{name}: it does not say the picture's width and height, so it is left out."]
    picture: dict[str, Any] = {"file": values.get("filename", ""), "width": width, "height": height, "objects": []}
    for number, found in enumerate(objects, 1):
        label = found.get("name", "")
        where = f"{name}, line {found['line']}, object {number} ({label[:40] or 'without a name'})"
        if not label:
            problems.append(f"{where}: it has no class, so it is left out.")
            continue
        if classes and label not in classes:
            known = ", ".join(classes[:10])
            problems.append(f"{where}: its class is unknown, so it is left out; known are {known}.")
            continue
        try:
            left, top, right, bottom = (float(found[side]) for side in ("xmin", "ymin", "xmax", "ymax"))
        except (KeyError, ValueError):
            problems.append(f"{where}: its box is not four numbers, so it is left out.")
            continue
        box = usable_box((left, top, right, bottom), width, height, where, problems)
        if box is not None:
            picture["objects"].append((label, box))
    return picture, problems


def read_coco(content: bytes, name: str) -> tuple[list[dict[str, Any]], list[str]]:
    """The pictures of a COCO annotation file. Raises ValueError with a sentence when it is none."""
    import json

    try:
        told = json.loads(content)
        images, annotations, categories = told["images"], told["annotations"], told["categories"]
        classes = {entry["id"]: str(entry["name"]) for entry in categories}
        pictures: dict[Any, dict[str, Any]] = {
            entry["id"]: {
                "file": str(entry["file_name"]),
                "width": float(entry["width"]),
                "height": float(entry["height"]),
                "objects": [],
            }
            for entry in images
        }
    except RecursionError:
        raise ValueError(f"{name} is nested too deeply for COCO's form.") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{name} is not in COCO's form, with images, annotations and categories ({type(error).__name__}: {error})."
        ) from None
    problems: list[str] = []
    for number, entry in enumerate(annotations, 1):
        where = f"{name}, annotation {number}"
        try:
            picture, category, box = pictures.get(entry["image_id"]), entry["category_id"], entry["bbox"]
            left, top, width, height = (float(value) for value in box)
        except (KeyError, TypeError, ValueError):
            problems.append(f"{where}: it lacks a picture, a class or a box of four numbers, so it is left out.")
            continue
        if picture is None:
            problems.append(f"{where}: there is no picture with the id {str(entry['image_id'])[:40]}; it is left out.")
        elif not isinstance(category, (int, str)) or category not in classes:
            problems.append(f"{where}: there is no class with the id {str(category)[:40]}, so it is left out.")
        else:
            where = f"{where} ({classes[category][:40]} in {picture['file'][:60]})"
            edges = (left, top, left + width, top + height)
            inside = usable_box(edges, picture["width"], picture["height"], where, problems)
            if inside is not None:
                picture["objects"].append((classes[category], inside))
    return list(pictures.values()), problems


def annotated_pictures(archive: Any, classes: tuple[str, ...] = ()) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """What a zipfile.ZipFile says of its own pictures: entry name -> picture, and sentences on the rest.

    Every ``.xml`` file is a VOC annotation, of the picture it names or that is called as it is; every ``.json`` file is
    read as COCO's. Pictures without an annotation are left out.
    """
    endings = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
    entries = {e.filename: e for e in archive.infolist() if not e.is_dir() and e.file_size <= 100_000_000}
    seen = {n: e for n, e in entries.items() if not any(p.startswith(".") or p == "__MACOSX" for p in n.split("/"))}
    by_name: dict[str, str] = {}
    for name in sorted(seen):
        if name.lower().endswith(endings):
            by_name.setdefault(name.rpartition("/")[2], name)
            by_name.setdefault(name.rpartition("/")[2].rpartition(".")[0], name)
    found: dict[str, dict[str, Any]] = {}
    problems: list[str] = []
    for name in sorted(seen):
        pictures: list[dict[str, Any]] = []
        stem = name.rpartition("/")[2].rpartition(".")[0]
        if name.lower().endswith(".xml"):
            picture, told = read_voc(archive.read(seen[name]), name, classes)
            problems += told
            pictures = [] if picture is None else [picture]
        elif name.lower().endswith(".json"):
            try:
                pictures, told = read_coco(archive.read(seen[name]), name)
            except ValueError as error:
                pictures, told = [], [str(error)]
            problems += told
        for picture in pictures:
            file = picture["file"].replace("\\", "/").rpartition("/")[2]
            entry = by_name.get(file) or by_name.get(file.rpartition(".")[0]) or by_name.get(stem)
            if entry is None:
                problems.append(f"{name}: its picture {file[:60]!r} is not in the zip, so it is left out.")
            else:
                found[entry] = picture
    return found, problems
