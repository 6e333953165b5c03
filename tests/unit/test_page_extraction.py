"""The main text, the links and the directives of a page."""

from __future__ import annotations

from ragline.sources.web.page_extraction import ExtractedPage, extract_page

URL = "http://a.example/dir/page"
PARAGRAPH = "Tea is made of leaves that are poured over with hot water, and it is drunk warm."


def extract(body: str = "", head: str = "") -> ExtractedPage:
    page = f"<html><head>{head}</head><body><main><p>{PARAGRAPH}</p>{body}</main></body></html>"
    return extract_page(page.encode(), "text/html", URL)


def test_links_are_those_of_the_host_each_once_in_order():
    anchors = ["b", "/a", "b#part", "http://b.example/", "http://A.example/c", "mailto:x@y.example"]
    page = extract("".join(f'<a href="{link}">x</a>' for link in anchors))
    assert page.links == ("http://a.example/dir/b", "http://a.example/a", "http://a.example/c")


def test_nofollow_of_a_link_is_obeyed():
    assert extract('<a href="/a" rel="nofollow noopener">x</a>').links == ()


def test_links_are_relative_to_the_base_element():
    page = extract('<a href="x">x</a>', head='<base href="/other/">')
    assert page.links == ("http://a.example/other/x",)


def test_canonical_is_another_page_of_the_host():
    for link, expected in (
        ("/original", "http://a.example/original"),
        (URL, None),
        ("http://b.example/original", None),
    ):
        assert extract(head=f'<link rel="canonical" href="{link}">').canonical == expected


def test_robots_element_is_read():
    page = extract(head='<meta name="ROBOTS" content="NoIndex, follow">')
    assert page.directives == {"noindex", "follow"}


def test_same_text_in_another_layout_has_the_same_content():
    plain = extract("<h2>Brewing</h2><p>Pour and wait.</p>")
    dressed = extract(
        '<h2 class="x">Brewing</h2>\n<p id="y"><span>Pour</span> and <b>wait</b>.</p>'
    )
    assert plain.content == dressed.content


def test_navigation_footer_and_scripts_are_left_out():
    page = extract_page(
        f"<body><nav>Menu</nav><main><p>{PARAGRAPH}</p></main><script>run()</script>"
        "<footer>Imprint</footer></body>".encode(),
        "text/html",
        URL,
    )
    assert PARAGRAPH in page.content.decode()
    for word in ("Menu", "run()", "Imprint"):
        assert word not in page.content.decode()


def test_paragraphs_with_links_in_the_main_element_are_kept():
    links = " ".join(f'<a href="/{number}">reference {number}</a>' for number in range(30))
    content = extract(f"<h2>See also</h2><p>{links}</p>").content.decode()
    assert "See also" in content
    assert "reference 29" in content


def test_code_in_a_figure_is_text():
    content = extract(
        "<figure><pre><code>pour(water)</code></pre><figcaption>Listing 1</figcaption></figure>"
    ).content.decode()
    assert "pour(water)" in content
    assert "Listing 1" in content


def test_text_outside_the_main_element_is_left_out():
    page = f"<body><div>Aside</div><main><p>{PARAGRAPH}</p></main><div>Below</div></body>"
    content = extract_page(page.encode(), "text/html", URL).content.decode()
    assert "Aside" not in content
    assert "Below" not in content


def test_empty_body_is_a_page_without_text():
    assert extract_page(b"", "text/html", URL).content == b""
