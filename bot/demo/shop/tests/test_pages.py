from shop import pages
from shop.cart import Cart


def test_the_catalogue_offers_every_product() -> None:
    html = pages.catalogue(Cart())
    assert html.count("Add to cart") == 4
    assert "Enamel mug" in html


def test_a_problem_is_shown_escaped() -> None:
    html = pages.cart(Cart().add("mug"), "<script>")
    assert "&lt;script&gt;" in html
    assert "<script>" not in html
