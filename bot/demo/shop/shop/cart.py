"""A cart: how many of what, and what it costs. Pure."""

from dataclasses import dataclass

from shop.catalogue import BY_SKU, Product

MAX_QUANTITY = 99


class CartError(ValueError):
    """Not something that can be put into a cart; the text is for the customer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    product: Product
    quantity: int

    @property
    def total_cents(self) -> int:
        return self.product.price_cents * self.quantity


@dataclass(frozen=True, slots=True)
class Cart:
    """Quantities by SKU, in the order in which they were added."""

    quantities: tuple[tuple[str, int], ...] = ()

    @property
    def lines(self) -> list[Line]:
        return [Line(product=BY_SKU[sku], quantity=n) for sku, n in self.quantities]

    @property
    def subtotal_cents(self) -> int:
        return sum(line.total_cents for line in self.lines)

    def add(self, sku: str, quantity: int = 1) -> "Cart":
        """The cart with more of something. Raises CartError for what is not sold, or too much."""
        if sku not in BY_SKU:
            raise CartError(f"We do not sell {sku!r}.")
        held = dict(self.quantities)
        wanted = held.get(sku, 0) + quantity
        if quantity < 1 or wanted > MAX_QUANTITY:
            raise CartError(f"A quantity is between 1 and {MAX_QUANTITY}.")
        return Cart(tuple({**held, sku: wanted}.items()))


def to_cookie(cart: Cart) -> str:
    return "_".join(f"{sku}.{n}" for sku, n in cart.quantities)


def from_cookie(text: str) -> Cart:
    """The cart that a cookie stands for; whatever in it makes no sense is left out."""
    cart = Cart()
    for part in text.split("_"):
        sku, _, number = part.partition(".")
        try:
            cart = cart.add(sku, int(number))
        except ValueError:
            continue
    return cart


def money(cents: int) -> str:
    """`1450` as `€14.50`."""
    sign = "−" if cents < 0 else ""
    return f"{sign}€{abs(cents) // 100}.{abs(cents) % 100:02d}"
