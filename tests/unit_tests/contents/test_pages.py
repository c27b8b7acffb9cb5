"""Pages of a PDF: counted, cut out and rendered. The PDFs are made by the tests, or by pikepdf."""

from __future__ import annotations

import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import pdf, png
from PIL import Image
from pypdf import PdfReader

from jina_eis.contents import Medium, count_pages, describe_page, page_image, page_pdf, parts_to_index, split_pages
from jina_eis.errors import InputError

TEXTS = ["Salt melts ice.", "Owls are quiet.", "Bread rises."]
READ: list[Callable[[Medium], Any]] = [count_pages, lambda medium: [*split_pages(medium)], lambda medium: page_pdf(medium, 1)]


def encrypted(user: str = "", strength: int = 6) -> bytes:
    file = BytesIO()
    with pikepdf.open(BytesIO(pdf(texts=TEXTS))) as document:
        document.save(file, encryption=pikepdf.Encryption(owner="owner", user=user, R=strength))
    return file.getvalue()


def text(medium: Medium) -> list[str]:
    with medium.open() as file:
        return [page.extract_text().strip() for page in PdfReader(file).pages]


def is_blank(image: Medium) -> bool:
    with image.open() as file, Image.open(file) as opened:
        return len(opened.convert("L").getcolors() or []) == 1


@pytest.mark.parametrize(
    "data", [pdf(texts=TEXTS), encrypted(strength=4), encrypted(strength=6)], ids=["plain", "AES-128", "AES-256"]
)
def test_pages_are_counted_cut_out_and_rendered(data: bytes) -> None:
    medium = Medium.from_bytes(data, source="report.pdf")
    assert count_pages(medium) == 3
    assert [text(page) for page in split_pages(medium)] == [[single] for single in TEXTS]
    assert text(page_pdf(medium, 2)) == [TEXTS[1]]
    image = page_image(medium, 3, 144)
    assert (image.mime, image.pixels, image.source) == ("image/png", (144, 144), "report.pdf")
    assert not is_blank(image), "the text is drawn"
    assert is_blank(page_image(Medium.from_bytes(pdf()), 1, 144))


def test_a_page_is_described_by_its_number_and_its_pdf() -> None:
    medium = Medium.from_bytes(pdf(3), source="report.pdf")
    known = {"source": "report.pdf", "mime_type": "application/pdf", "modality": "pdf"}
    assert describe_page(medium, 2, 3) == {**known, "page": 2, "pages": 3}
    assert [page.source for page in split_pages(medium)] == ["report.pdf"] * 3


def test_an_index_holds_each_page_of_a_pdf_and_any_other_input_as_it_is() -> None:
    report = Medium.from_bytes(pdf(texts=TEXTS), source="report.pdf")
    parts = list(parts_to_index(report))
    assert [text(part) for part, _ in parts if isinstance(part, Medium)] == [[single] for single in TEXTS]
    assert [known for _, known in parts] == [describe_page(report, number, 3) for number in (1, 2, 3)]
    assert [part for part, _ in parts_to_index(report)] == [part for part, _ in parts], "the same bytes, for ids of the content"
    assert list(parts_to_index("a text")) == [("a text", {})]
    first, second = Medium.from_bytes(png(30, 40), source="a.png"), Medium.from_bytes(png(30, 50))
    known = {"mime_type": "image/png", "modality": "image", "width": 30}
    assert list(parts_to_index(first)) == [(first, {"source": "a.png", **known, "height": 40})]
    ((fused, facts),) = parts_to_index(("a caption", first, second))
    assert fused == ("a caption", first, second)
    assert facts == {"source": "a.png", **known, "height": [40, 50]}


def test_a_large_page_has_fewer_dots_an_inch() -> None:
    assert page_image(Medium.from_bytes(pdf(side=7200)), 1, 200).pixels == (6000, 6000)


def test_values_of_forms_are_rendered() -> None:
    file = BytesIO()
    with pikepdf.open(BytesIO(pdf())) as document:
        font = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
        field = document.make_indirect(
            pikepdf.Dictionary(
                Type=pikepdf.Name.Annot,
                Subtype=pikepdf.Name.Widget,
                FT=pikepdf.Name.Tx,
                T=pikepdf.String("name"),
                V=pikepdf.String("Ada"),
                DA=pikepdf.String("/F 12 Tf 0 g"),
                Rect=[5, 20, 70, 40],
                F=4,
            )
        )
        document.pages[0].Annots = pikepdf.Array([field])
        resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F=font))
        document.Root.AcroForm = pikepdf.Dictionary(Fields=pikepdf.Array([field]), DR=resources, DA="/F 12 Tf 0 g")
        document.save(file)
    assert not is_blank(page_image(Medium.from_bytes(file.getvalue()), 1, 144))


@pytest.mark.parametrize("read", READ)
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (encrypted("secret"), "<application/pdf, .*> needs a password. Save it without one"),
        (b"%PDF-1.7\n" + b"\0" * 100, "is damaged: pypdf cannot read it"),
        (png(), "<image/png, .*> is image/png, not a PDF"),
    ],
    ids=["password", "damaged", "image"],
)
def test_what_is_refused(read: Callable[[Medium], Any], data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(Medium.from_bytes(data))


def test_what_cannot_be_rendered() -> None:
    for data, number in ((encrypted("secret"), 1), (pdf(2), 3)):
        with pytest.raises(InputError, match=rf"page {number} of <application/pdf, .*> cannot be rendered: "):
            page_image(Medium.from_bytes(data), number, 100)


@pytest.mark.parametrize("package", ["pypdf", "pypdfium2"])
def test_without_the_package_the_error_names_the_extra(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    medium = Medium.from_bytes(pdf())
    with pytest.raises(ImportError, match=r'pip install "jina-eis\[pdf\]"'):
        count_pages(medium) if package == "pypdf" else page_image(medium, 1, 100)


def test_a_file_that_has_changed_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    path.write_bytes(pdf(3))
    medium = Medium.from_path(path)
    assert count_pages(medium) == 3
    path.write_bytes(pdf(4))
    for read in (*READ, lambda medium: page_image(medium, 1, 100)):
        with pytest.raises(InputError, match="has changed since it was checked"):
            read(medium)
    path.unlink()
    with pytest.raises(InputError, match="can no longer be read"):
        count_pages(medium)


def test_a_url_is_not_read() -> None:
    with pytest.raises(InputError, match="is a URL that only the service reads"):
        count_pages(Medium.at_url("https://example.com/a.pdf", "pdf", "a.pdf"))


@settings(max_examples=60)
@given(st.integers(9, len(pdf(texts=TEXTS)) - 1), st.booleans())
def test_a_pdf_that_is_cut_has_pages_or_is_refused(length: int, damaged: bool) -> None:
    data = pdf(texts=TEXTS)
    data = data[:length] + (b"\xff" * 7 + data[length + 7 :] if damaged else b"")
    try:
        medium = Medium.from_bytes(data)
        assert all(page.modality == "pdf" for page in split_pages(medium))
        for number in range(1, count_pages(medium) + 1):
            assert page_image(medium, number, 72).modality == "image"
    except InputError:
        pass
