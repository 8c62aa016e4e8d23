import pytest

from shop.cart import Cart, CartError, from_cookie, money, to_cookie


def test_an_empty_cart_costs_nothing() -> None:
    assert Cart().subtotal_cents == 0


def test_quantities_of_the_same_product_add_up() -> None:
    cart = Cart().add("mug").add("mug", 2)
    assert cart.quantities == (("mug", 3),)
    assert cart.subtotal_cents == 3 * 1450


@pytest.mark.parametrize(("sku", "quantity"), [("car", 1), ("mug", 0), ("mug", -1), ("mug", 100)])
def test_nonsense_is_refused(sku: str, quantity: int) -> None:
    with pytest.raises(CartError):
        Cart().add(sku, quantity)


def test_a_cart_survives_the_way_through_a_cookie() -> None:
    cart = Cart().add("tea", 4).add("lamp")
    assert from_cookie(to_cookie(cart)) == cart


@pytest.mark.parametrize("text", ["", "mug", "mug.x", "car.1", "__", "mug.-1"])
def test_a_cookie_that_makes_no_sense_is_an_empty_cart(text: str) -> None:
    assert from_cookie(text) == Cart()


@pytest.mark.parametrize(("cents", "text"), [(0, "€0.00"), (1450, "€14.50"), (-5, "−€0.05")])
def test_money_is_written_with_two_decimals(cents: int, text: str) -> None:
    assert money(cents) == text
